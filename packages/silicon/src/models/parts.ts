import { isJsonObject, parseJson, type Clock, type JsonObject, type JsonValue } from '@sevenfold/formats';
import type { Chip } from '../chip.ts';
import { SiliconError } from '../errors.ts';
import type { FlashStorage } from '../flash.ts';
import { memoryFlash } from '../memory-storage.ts';
import { CodecModel } from './codec.ts';
import { EEPROM_BYTES, I2cEepromModel, SpiEepromModel } from './eeprom.ts';
import { ButtonModel, LedModel, PwmModel } from './led.ts';
import {
  AccelerometerModel,
  I2cWireModel,
  LoopbackModel,
  PotentiometerModel,
  TemperatureSensorModel,
} from './sensors.ts';

/** What selects a part on an SPI bus: a line of the unit, or a GPIO that software sets. */
type SpiSelect = { readonly chipSelect: 0 | 1 } | { readonly selectGpio: number };

/** A part that hangs on the chip, as a board file describes it: which model, and on which pins. */
export type PartDescription = { readonly name: string } & (
  | { readonly model: 'Led' | 'Button'; readonly gpio: number; readonly activeLevel: 0 | 1 }
  | { readonly model: 'PwmOutput'; readonly controller: number; readonly channel: number }
  | { readonly model: 'Potentiometer'; readonly channel: number }
  | { readonly model: 'UartLoopback'; readonly isu: number }
  | { readonly model: 'AudioCodec'; readonly i2s: 0 | 1 }
  | { readonly model: 'TemperatureSensor' | 'I2cEeprom'; readonly isu: number; readonly address: number }
  | {
      readonly model: 'I2cAccelerometer';
      readonly isu: number;
      readonly address: number;
      readonly identity: number;
    }
  | { readonly model: 'I2cWire'; readonly isu: number; readonly other: number }
  | ({ readonly model: 'SpiEeprom' | 'SpiAccelerometer'; readonly isu: number } & SpiSelect)
);

/** A board: its name, and what hangs where. */
export interface BoardDescription {
  readonly name: string;
  readonly parts: readonly PartDescription[];
}

/** A fitted part. */
export type PartModel =
  | LedModel
  | ButtonModel
  | PwmModel
  | PotentiometerModel
  | LoopbackModel
  | CodecModel
  | TemperatureSensorModel
  | AccelerometerModel
  | I2cWireModel
  | I2cEepromModel
  | SpiEepromModel;

const MOST_PARTS = 128;

function invalid(field: string, rule: string): never {
  throw new SiliconError('BoardFileInvalid', `${field} of the board file is wrong: it must be ${rule}.`, {
    field,
    rule,
  });
}

/** Reads the fields of one part: every one that its model needs, and no other. */
class PartReader {
  readonly #json: JsonObject;
  readonly #place: string;
  readonly #used = new Set(['Name', 'Model']);

  constructor(json: JsonObject, place: string) {
    this.#json = json;
    this.#place = place;
  }

  text(field: string): string {
    const value = this.#json.get(field);
    return typeof value === 'string' && /^\w{1,64}$/.test(value)
      ? value
      : invalid(`${this.#place}.${field}`, 'a name of letters, digits and underscores');
  }

  number(field: string, min: number, max: number, absent?: number): number {
    this.#used.add(field);
    const value = this.#json.get(field) ?? absent;
    const isGood = typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
    return isGood ? value : invalid(`${this.#place}.${field}`, `an integer from ${min} to ${max}`);
  }

  has(field: string): boolean {
    return this.#json.has(field);
  }

  bit(field: string, absent?: 0 | 1): 0 | 1 {
    return this.number(field, 0, 1, absent) === 1 ? 1 : 0;
  }

  end(): void {
    const unknown = [...this.#json.keys()].find((name) => !this.#used.has(name));
    if (unknown !== undefined) invalid(`${this.#place}.${unknown}`, 'a field that this model has');
  }
}

function readPart(value: JsonValue, index: number): PartDescription {
  const place = `Parts[${index}]`;
  if (!isJsonObject(value)) return invalid(place, 'an object');
  const reader = new PartReader(value, place);
  const part = readModel(reader, reader.text('Name'), reader.text('Model'), place);
  reader.end();
  return part;
}

function readModel(reader: PartReader, name: string, model: string, place: string): PartDescription {
  const isu = (): number => reader.number('Isu', 0, 4);
  switch (model) {
    case 'Led':
    case 'Button':
      return { name, model, gpio: reader.number('Gpio', 0, 80), activeLevel: reader.bit('ActiveLevel', 0) };
    case 'PwmOutput':
      return {
        name,
        model,
        controller: reader.number('Controller', 0, 2),
        channel: reader.number('Channel', 0, 3),
      };
    case 'Potentiometer':
      return { name, model, channel: reader.number('Channel', 0, 7) };
    case 'UartLoopback':
      return { name, model, isu: isu() };
    case 'AudioCodec':
      return { name, model, i2s: reader.bit('I2s') };
    case 'TemperatureSensor':
    case 'I2cEeprom':
      return { name, model, isu: isu(), address: reader.number('Address', 8, 0x77) };
    case 'I2cAccelerometer': {
      const address = reader.number('Address', 8, 0x77);
      return { name, model, isu: isu(), address, identity: reader.number('Identity', 0, 0xff, 0x69) };
    }
    case 'I2cWire': {
      const [unit, other] = [isu(), reader.number('Other', 0, 4)];
      return unit === other
        ? invalid(`${place}.Other`, 'another unit than Isu')
        : { name, model, isu: unit, other };
    }
    case 'SpiEeprom':
    case 'SpiAccelerometer':
      return reader.has('SelectGpio')
        ? { name, model, isu: isu(), selectGpio: reader.number('SelectGpio', 0, 80) }
        : { name, model, isu: isu(), chipSelect: reader.bit('ChipSelect') };
    default:
      return invalid(`${place}.Model`, 'a model that there is');
  }
}

/** Reads a board file (docs/silicon.md). Throws `BoardFileInvalid`, or `FormatError` for what is no JSON. */
export function parseBoardFile(untrusted: Uint8Array): BoardDescription {
  const json = parseJson(untrusted, { maxBytes: 256 * 1024, maxDepth: 4 });
  if (!isJsonObject(json)) return invalid('the board file', 'an object');
  const metadata = json.get('Metadata');
  const isKnown =
    isJsonObject(metadata) && metadata.get('Type') === 'Sevenfold Board' && metadata.get('Version') === 1;
  if (!isKnown) return invalid('Metadata', '{"Type": "Sevenfold Board", "Version": 1}');
  const name = json.get('Name');
  if (typeof name !== 'string' || name.length > 64) return invalid('Name', 'a text of at most 64 characters');
  const untrustedParts = json.get('Parts') ?? [];
  if (!Array.isArray(untrustedParts) || untrustedParts.length > MOST_PARTS)
    return invalid('Parts', `an array of at most ${MOST_PARTS} parts`);
  const parts = (untrustedParts as readonly JsonValue[]).map(readPart);
  if (new Set(parts.map((part) => part.name)).size !== parts.length)
    return invalid('Parts', 'parts of different names');
  return { name, parts };
}

/** The cells of a memory on the board, by the name of the part: so many bytes. */
export type PartStorage = (name: string, bytes: number) => FlashStorage;

/**
 * Solders the parts of a board to a chip; gives each model by its name. `storage`: what memories among them keep their
 * content in; default: in memory, as long as the board is there.
 */
export function fitParts(
  chip: Chip,
  { parts }: BoardDescription,
  clock: Clock,
  storage: PartStorage = (_name, bytes) => memoryFlash(bytes),
): ReadonlyMap<string, PartModel> {
  return new Map(parts.map((part) => [part.name, fit(chip, part, clock, storage)]));
}

function fit(chip: Chip, part: PartDescription, clock: Clock, storage: PartStorage): PartModel {
  switch (part.model) {
    case 'Led':
      return new LedModel(chip.pins, part.gpio, part.activeLevel);
    case 'Button':
      return new ButtonModel(chip.pins, part.gpio, part.activeLevel);
    case 'PwmOutput':
      return new PwmModel(found(chip.pwm[part.controller]), part.channel);
    case 'Potentiometer': {
      const model = new PotentiometerModel();
      chip.adc.attach(part.channel, model.source);
      return model;
    }
    case 'UartLoopback': {
      const model = new LoopbackModel();
      found(chip.isus[part.isu]).uart.attach(model);
      return model;
    }
    case 'AudioCodec': {
      const model = new CodecModel();
      found(chip.i2s[part.i2s]).attach(model);
      return model;
    }
    case 'SpiEeprom':
    case 'SpiAccelerometer': {
      const model =
        part.model === 'SpiEeprom'
          ? new SpiEepromModel(clock, storage(part.name, EEPROM_BYTES))
          : new AccelerometerModel();
      const { spi } = found(chip.isus[part.isu]);
      if ('selectGpio' in part) {
        const release = spi.attachSelected(model);
        const { selectGpio } = part;
        chip.pins.onChange((pin, level) => {
          if (pin === selectGpio) release(level);
        });
        release(chip.pins.level(selectGpio));
      } else spi.attach(part.chipSelect, model);
      return model;
    }
    case 'I2cWire': {
      found(chip.isus[part.isu]).i2c.join(found(chip.isus[part.other]).i2c);
      return new I2cWireModel(part.isu, part.other);
    }
    case 'TemperatureSensor':
    case 'I2cEeprom':
    case 'I2cAccelerometer': {
      const model = i2cModel(part, clock, storage);
      found(chip.isus[part.isu]).i2c.attach(model);
      return model;
    }
    default:
      return part satisfies never;
  }
}

function i2cModel(
  part: Extract<PartDescription, { readonly address: number }>,
  clock: Clock,
  storage: PartStorage,
): TemperatureSensorModel | I2cEepromModel | AccelerometerModel {
  const { name, model, address } = part;
  switch (model) {
    case 'TemperatureSensor':
      return new TemperatureSensorModel(address);
    case 'I2cEeprom':
      return new I2cEepromModel(clock, address, storage(name, EEPROM_BYTES));
    case 'I2cAccelerometer':
      return new AccelerometerModel(address, part.identity);
    default:
      return model satisfies never;
  }
}

/** The reader has bounded every number: what is missing here is a defect of the chip's own tables. */
function found<T>(unit: T | undefined): T {
  if (unit === undefined) throw new SiliconError('OutOfRange', 'The chip has no such unit.');
  return unit;
}
