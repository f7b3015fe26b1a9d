/** What goes wrong: everything that dies, hangs, fills up, or cannot be reached, and comes back. */
import type { SeededRandom } from './random.ts';
import type { Simulation } from './simulation.ts';

export interface Fault {
  readonly weight: number;
  readonly strike: (simulation: Simulation, random: SeededRandom) => void;
}

const serversMost = 3;

/** By name, as they stand in a script. */
export const faults: Readonly<Record<string, Fault>> = {
  server_is_killed: { weight: 2, strike: killServer },
  server_is_frozen: { weight: 2, strike: freezeServer },
  more_servers_lead: { weight: 1, strike: startAnother },
  store_is_full: { weight: 1, strike: fillStore },
  pilot_is_killed: { weight: 4, strike: killPilot },
  pilot_is_frozen: { weight: 4, strike: freezePilot },
  power_is_cut: { weight: 2, strike: cutPower },
  pilot_disk_is_full: { weight: 1, strike: fillDisk },
  database_crashes: { weight: 4, strike: crash },
  database_crashes_in_a_loop: { weight: 1, strike: crashLoop },
  database_hangs: { weight: 2, strike: hang },
  database_network_splits: { weight: 2, strike: split },
  stream_is_cut: { weight: 4, strike: cut },
  stream_stalls: { weight: 4, strike: stall },
  member_reaches_no_server: { weight: 2, strike: sever },
  member_is_terminated: { weight: 1, strike: sigterm },
  clock_steps: { weight: 1, strike: stepClock },
};

/** The server is away for a while. */
function killServer(simulation: Simulation, random: SeededRandom): void {
  const { world, server } = simulation;
  if (server === undefined) return;
  simulation.killServer(server);
  const forMs = random.chance(0.2) ? random.between(20_000, 90_000) : random.between(100, 8_000);
  world.time.after(forMs, () => {
    if (simulation.servers.length === 0) simulation.startServer();
  });
}

/** As SIGSTOP. Where that takes longer than a lease, another one takes over; the first learns of it a moment too late. */
function freezeServer(simulation: Simulation, random: SeededRandom): void {
  const { world, server } = simulation;
  if (server === undefined || server.clock.frozen) return;
  const forMs = random.between(500, 40_000);
  const takeoverMs = random.between(10_000, 20_000);
  world.say(server.name, `is frozen for ${Math.round(forMs)} ms`);
  server.freeze(forMs);
  if (takeoverMs < forMs)
    world.time.after(takeoverMs, () => world.stormy && simulation.servers.length === 1 && simulation.startServer());
  const lateMs = random.between(0, 4_000);
  world.time.after(forMs, () => {
    world.say(server.name, 'goes on');
    server.thaw();
    world.time.after(lateMs, () => simulation.servers.length > 1 && simulation.killServer(server));
  });
}

/** Two, or three, believe that they are the one; after a while those from before find out. */
function startAnother(simulation: Simulation, random: SeededRandom): void {
  const { world, server } = simulation;
  if (server === undefined || simulation.servers.length >= serversMost) return;
  simulation.startServer();
  world.time.after(random.between(2_000, 40_000), () => simulation.servers.length > 1 && simulation.killServer(server));
  if (random.chance(0.4)) world.time.after(random.between(500, 5_000), () => startAnother(simulation, random));
}

function fillStore({ world, server }: Simulation, random: SeededRandom): void {
  if (server === undefined) return;
  const forMs = random.between(1_000, 30_000);
  world.say(server.name, `has a full disk for ${Math.round(forMs)} ms`);
  server.store.fullUntilMs = world.time.nowMs + forMs;
}

function killPilot({ host, world }: Simulation, random: SeededRandom): void {
  const pilot = random.pick(host.pilots());
  if (pilot === undefined) return;
  world.say(pilot.member, 'pilot is killed');
  pilot.kill();
}

function freezePilot({ host, world }: Simulation, random: SeededRandom): void {
  const pilot = random.pick(host.pilots());
  if (pilot === undefined || pilot.clock.frozen) return;
  const forMs = random.between(500, 50_000);
  world.say(pilot.member, `pilot is frozen for ${Math.round(forMs)} ms`);
  pilot.clock.freeze();
  world.time.after(forMs, () => {
    world.say(pilot.member, 'pilot goes on');
    pilot.clock.thaw();
  });
}

/** A machine goes down at once, and comes back with what its disk has kept. */
function cutPower({ host, machine, world }: Simulation, random: SeededRandom): void {
  const place = random.pick([...host.places.values()]);
  if (place === undefined) return;
  world.say(place.name, 'power is cut');
  place.pilot?.kill();
  place.disk.files.cutPower(random);
  machine.crash(place.name);
}

function fillDisk({ host, world }: Simulation, random: SeededRandom): void {
  const place = random.pick([...host.places.values()]);
  if (place === undefined) return;
  const forMs = random.between(1_000, 40_000);
  world.say(place.name, `has a full disk for ${Math.round(forMs)} ms`);
  place.disk.fullUntilMs = world.time.nowMs + forMs;
}

function crash({ host, machine }: Simulation, random: SeededRandom): void {
  const member = random.pick([...host.places.keys()]);
  if (member !== undefined) machine.crash(member);
}

/** It crashes again whenever it has come back. */
function crashLoop({ host, machine, world }: Simulation, random: SeededRandom): void {
  const member = random.pick([...host.places.keys()]);
  if (member === undefined) return;
  world.say(member, 'database crashes in a loop');
  let left = random.whole(3, 8);
  const again = (): void => {
    machine.crash(member);
    left--;
    if (left > 0 && world.stormy) world.time.after(random.between(3_000, 9_000), again);
  };
  again();
}

/** As SIGSTOP to the database itself. */
function hang({ host, machine, database, world }: Simulation, random: SeededRandom): void {
  const member = random.pick([...host.places.keys()]);
  if (member === undefined || !machine.runs(member)) return;
  const forMs = random.between(1_000, 60_000);
  world.say(member, `database hangs for ${Math.round(forMs)} ms`);
  database.hang(member);
  world.time.after(forMs, () => database.goOn(member));
}

/** Some databases do not reach the others; their pilots reach the server all the same. */
function split({ host, database, world }: Simulation, random: SeededRandom): void {
  const members = [...host.places.keys()];
  const apart = members.filter(() => random.chance(0.4));
  if (apart.length === 0 || apart.length === members.length) return;
  const forMs = random.between(1_000, 60_000);
  world.say('network', `${apart.join(', ')} do not reach the others for ${Math.round(forMs)} ms`);
  database.split(new Set(apart));
  world.time.after(forMs, () => database.rejoin());
}

function cut({ network, world }: Simulation, random: SeededRandom): void {
  const stream = random.pick([...network.streams].filter(({ open }) => open));
  if (stream === undefined) return;
  world.say(stream.member, 'stream is cut');
  stream.cut('cut');
}

function stall({ network, world }: Simulation, random: SeededRandom): void {
  const stream = random.pick([...network.streams].filter(({ open }) => open));
  if (stream === undefined) return;
  const direction = random.chance(0.5) ? 'up' : 'down';
  const forMs = random.between(500, 40_000);
  world.say(stream.member, `stream stalls ${direction} for ${Math.round(forMs)} ms`);
  stream.stall(direction, forMs);
}

function sever({ host, network, world }: Simulation, random: SeededRandom): void {
  const member = random.pick([...host.places.keys()]);
  if (member === undefined) return;
  const forMs = random.between(1_000, 40_000);
  world.say(member, `reaches no server for ${Math.round(forMs)} ms`);
  network.sever(member);
  world.time.after(forMs, () => network.severed.delete(member));
}

/** As when its machine is drained. */
function sigterm({ host, world }: Simulation, random: SeededRandom): void {
  const pilot = random.pick(host.pilots());
  if (pilot === undefined) return;
  world.say(pilot.member, 'pilot is sent SIGTERM');
  pilot.terminated = true;
  pilot.terminate(random.between(10_000, 60_000));
}

/** The time of day jumps; nothing may come of it. */
function stepClock({ host, servers, world }: Simulation, random: SeededRandom): void {
  const clock = random.pick([...host.pilots(), ...servers])?.clock;
  const byMs = Math.round(random.between(-86_400_000, 86_400_000));
  world.say('weather', `a clock steps by ${byMs} ms`);
  clock?.step(byMs);
}
