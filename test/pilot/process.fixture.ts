/** A pilot that starts a database process in the directory of its argument, writes the pid, and stays. */
import { systemClock } from '../../shared/clock.ts';
import { createLogger } from '../../shared/log.ts';
import { createDatabaseProcess } from '../../pilot/supervisor/process.ts';

const directory = process.argv[2] ?? '';
const log = createLogger('process-fixture', 'info');
const database = createDatabaseProcess({ directory, clock: systemClock(), log });
const launch = { command: '/bin/sh', args: ['-c', 'sleep 1000'], env: {}, cwd: directory };
const running = await database.start(launch, { specHash: 'hash-1', version: '8.1.0' });
process.stdout.write(`${running.pid}\n`);
