// gRPC in Node.js as its users write it, for the benchmark: `server|client` and the options that every program of the
// benchmark has.

import { call } from './client.js';
import { serve } from './server.js';

const USAGE = `usage: grpc-node server --addr HOST:PORT
       grpc-node client --addr HOST:PORT --conns N --concurrency N --seconds S [--warmup S] [--server-pid PID]`;

function options(args) {
  const known = { addr: '', conns: 1, concurrency: 1, seconds: 3, warmup: 0.7, 'server-pid': 0 };
  for (let i = 0; i < args.length; i += 2) {
    const name = args[i].replace(/^--/, '');
    const value = name === 'addr' ? args[i + 1] : Number(args[i + 1]);
    if (!(name in known) || value === undefined || Number.isNaN(value)) throw new Error(`${args[i]}: unknown, or without a value`);
    known[name] = value;
  }
  if (!known.addr) throw new Error('--addr HOST:PORT is missing');
  known.conns = Math.max(1, Math.min(known.conns, known.concurrency));
  return known;
}

const [mode, ...rest] = process.argv.slice(2);
try {
  const chosen = options(rest);
  if (mode === 'server') serve(chosen.addr);
  else if (mode === 'client') call(chosen);
  else throw new Error('the first argument is server or client');
} catch (error) {
  console.error(`${error.message}\n${USAGE}`);
  process.exitCode = 2;
}
