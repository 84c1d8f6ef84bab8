// The closed loop: the end of a call starts the caller's next one.

import grpc from '@grpc/grpc-js';
import { Hello, isOk, request } from './message.js';
import { Window } from './window.js';

// Without it all channels to an address share a connection.
const OPTIONS = { 'grpc.use_local_subchannel_pool': 1 };
const PAUSE = 5; // milliseconds after a failure

/** Measures, prints the report and ends the process. */
export function call({ addr, conns, concurrency, seconds, warmup, 'server-pid': serverPid }) {
  const window = new Window({ conns, concurrency, serverPid });
  const message = request();
  const stubs = Array.from({ length: conns }, () => new Hello(addr, grpc.credentials.createInsecure(), OPTIONS));

  function next(stub) {
    if (window.stopped) return;
    const began = process.hrtime.bigint();
    stub.Say(message, (error, reply) => {
      if (error || !isOk(reply)) {
        window.failed(error ?? new Error('a reply without OK and 100'));
        setTimeout(next, PAUSE, stub);
        return;
      }
      window.done(Number(process.hrtime.bigint() - began));
      next(stub);
    });
  }

  for (let i = 0; i < concurrency; i++) next(stubs[i % conns]);
  setTimeout(() => {
    window.open();
    setTimeout(() => window.close(), seconds * 1000);
  }, warmup * 1000);
}
