import pino from 'pino';

/** Fields of a log line: ids, counts, codes – never keys, tokens, headers or bodies. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** The service's structured log. */
export interface ServiceLog {
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  /** `error`, where given, is something that was not thrown on purpose: its stack is kept for whoever runs the service. */
  error(fields: LogFields, message: string, error?: unknown): void;
}

/** Where lines go: one call a line, newline included. */
export interface LogDestination {
  write(line: string): void;
}

/** JSON lines (pino) with an RFC 3339 time from the given clock. */
export function createLog(destination: LogDestination, clock: { now(): number }): ServiceLog {
  const logger = pino(
    {
      base: null,
      timestamp: () => `,"time":"${new Date(clock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: pino.stdSerializers.err },
    },
    destination,
  );
  return {
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message, error) => logger.error({ ...fields, err: error }, message),
  };
}

/** A log that nobody reads. */
export const SILENT_LOG: ServiceLog = { info: () => {}, warn: () => {}, error: () => {} };
