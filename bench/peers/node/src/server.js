// The server.

import grpc from '@grpc/grpc-js';
import { answer, Hello } from './message.js';

/** Serves until the process is ended. */
export function serve(address) {
  const server = new grpc.Server({ 'grpc.max_concurrent_streams': 100_000 });
  server.addService(Hello.service, { Say: (call, done) => done(null, answer(call.request)) });
  server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error) => {
    if (error) throw error;
  });
}
