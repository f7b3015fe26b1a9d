/** Structured logs to standard error, or to a file where the terminal shows a table. */
import { pino, destination, type Logger } from 'pino';

export type { Logger };

/** One logger a process. `file` absent: standard error. Tokens and passwords never reach it. */
export function createLogger(name: string, level: string, file?: string): Logger {
  const redact = { paths: ['token', '*.token', 'password', '*.password', 'authorization', '*.authorization'] };
  return pino(
    { name, level, base: { name }, redact },
    file ? destination({ dest: file, sync: true, mkdir: true }) : destination({ dest: 2, sync: true }),
  );
}
