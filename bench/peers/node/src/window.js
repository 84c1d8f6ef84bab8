// The measured window, and the report of one JSON line.

import { readFileSync } from 'node:fs';

const TICK = 10_000; // microseconds of CPU in a tick of /proc/PID/stat

/** Keeps the latencies of the calls that end while it is open. */
export class Window {
  stopped = false;
  #open = false;
  #latencies = [];
  #warm = 0;
  #errors = 0;
  #first = null;
  #about;
  #server;
  #before;

  constructor({ conns, concurrency, serverPid }) {
    this.#about = { conns, concurrency };
    this.#server = serverPid || null;
  }

  /** A call has ended well. */
  done(nanoseconds) {
    if (this.#open) this.#latencies.push(nanoseconds);
    else this.#warm++;
  }

  /** A call has failed. */
  failed(error) {
    if (this.stopped) return;
    this.#errors++;
    this.#first ??= error.message.slice(0, 200);
  }

  /** Begins. */
  open() {
    this.#before = { at: process.hrtime.bigint(), client: ownCpu(), server: cpuOf(this.#server) };
    this.#open = true;
  }

  /** Ends, prints the report and ends the process. */
  close() {
    this.#open = false;
    this.stopped = true;
    const before = this.#before;
    const seconds = Number(process.hrtime.bigint() - before.at) / 1e9;
    const client = ownCpu() - before.client;
    const server = this.#server && cpuOf(this.#server) - before.server;
    const latencies = Float64Array.from(this.#latencies).sort();
    const calls = latencies.length;
    const perCall = (total) => (total === null || !calls ? null : total / calls);
    const quantile = (q) => (calls ? latencies[Math.min(calls - 1, Math.floor(q * calls))] / 1e3 : null);
    const report = {
      ...this.#about,
      seconds,
      calls,
      total_calls: calls + this.#warm,
      errors: this.#errors,
      first_error: this.#first,
      throughput: calls / seconds,
      mean_us: perCall(latencies.reduce((sum, x) => sum + x, 0) / 1e3),
      p50_us: quantile(0.5),
      p99_us: quantile(0.99),
      p999_us: quantile(0.999),
      max_us: quantile(1),
      client_cpu_us_per_call: perCall(client),
      server_cpu_us_per_call: perCall(server),
      client_rss_mib: peakOf('self'),
      server_rss_mib: this.#server && peakOf(this.#server),
    };
    process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(calls ? 0 : 1));
  }
}

/** User and system CPU time of this process in microseconds. */
function ownCpu() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** The same of another process, or null. */
function cpuOf(pid) {
  if (pid === null) return null;
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK;
}

/** Peak resident memory of a process in MiB. */
function peakOf(pid) {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))[1]) / 1024;
}
