import { toProblem, type Clock, type Port } from '@sevenfold/formats';
import type { TimeKeeper } from '../time-keeper.ts';
import { DhcpClient, type Lease } from './dhcp-client.ts';
import { SERVER_PORT } from './dhcp-message.ts';
import { DhcpServer, type AddressServerConfig } from './dhcp-server.ts';
import { answerSntp, SNTP_PORT } from './sntp.ts';
import { UdpPort } from './udp-port.ts';

/** What the services stand on. */
export interface PrivateServicesHost {
  readonly hardware: Port;
  readonly clock: Clock;
  readonly random: (length: number) => Promise<Uint8Array>;
  readonly timeKeeper: TimeKeeper;
  readonly log: (line: string) => void;
}

/** The OS's own services on a private network: they go on when the app that started them ends. */
export class PrivateServices {
  readonly #host: PrivateServicesHost;
  #addresses: UdpPort | null = null;
  #time: UdpPort | null = null;
  #client: DhcpClient | null = null;

  constructor(host: PrivateServicesHost) {
    this.#host = host;
  }

  /** Gives one address away; a server that ran before ends. */
  async serveAddresses(config: AddressServerConfig): Promise<void> {
    await this.#addresses?.close();
    const port = await this.#open(SERVER_PORT);
    this.#addresses = port;
    this.#run('DHCP server', () => new DhcpServer(config, this.#host.clock).serve(port));
  }

  async stopAddresses(): Promise<void> {
    const port = this.#addresses;
    this.#addresses = null;
    await port?.close();
  }

  /** Tells the time to whoever asks; once. */
  async serveTime(): Promise<void> {
    if (this.#time !== null) return;
    const port = await this.#open(SNTP_PORT);
    this.#time = port;
    this.#run('time server', () => this.#tellTime(port));
  }

  /** Has the interface get its address from whoever gives one; null: it has one of its own. */
  async followClient(
    hardwareAddress: Uint8Array | null,
    onLease: (lease: Lease | null) => Promise<void>,
  ): Promise<void> {
    if ((hardwareAddress === null) === (this.#client === null)) return;
    const before = this.#client;
    this.#client = null;
    await before?.stop();
    if (hardwareAddress === null) return;
    const client = new DhcpClient({ ...this.#host, onLease }, hardwareAddress);
    this.#client = client;
    this.#run('DHCP client', () => client.run());
  }

  async #tellTime(port: UdpPort): Promise<never> {
    for (;;) {
      const question = await port.receive();
      const { clock, timeKeeper } = this.#host;
      const answer = answerSntp(question.bytes, { now: clock.now(), isKnown: timeKeeper.isKnown });
      // As long as the question was: nobody can have it sent to somebody else to more effect.
      if (answer !== null) await port.send(question.address, question.port, answer).catch(() => undefined);
    }
  }

  #open(port: number): Promise<UdpPort> {
    return UdpPort.open(this.#host.hardware, this.#host.clock, port, 'eth0');
  }

  #run(what: string, work: () => Promise<unknown>): void {
    work().catch((error: unknown) => {
      const { code, message } = toProblem(error);
      // Closed is how each of them ends.
      if (code !== 'NetworkClosed') this.#host.log(`the ${what} has ended: ${message}`);
    });
  }
}
