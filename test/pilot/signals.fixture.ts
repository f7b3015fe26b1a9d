/** Writes a line for each signal that it is told of, and gives the defaults back once SIGINT has come. */
import { systemClock } from '../../shared/clock.ts';
import { listen } from '../../pilot/supervisor/signals.ts';

const listening = listen({
  onStop(signal) {
    if (signal === 'SIGINT') listening.close();
    write(`stop ${signal}`);
  },
  onForward: (signal) => write(`forward ${signal}`),
});
systemClock().after(100_000, () => process.exit(70));
write('ready');

function write(line: string): void {
  process.stdout.write(`${line}\n`);
}
