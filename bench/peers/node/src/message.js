// The message of the rpcx benchmark, and the service, from the proto file.

import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const PROTO = fileURLToPath(new URL('../../../proto/benchmark.proto', import.meta.url));
const TEXT = '许多往事在眼前一幕一幕，变的那麼模糊';
const SIZE = 581;

const definition = loader.loadSync(PROTO, { keepCase: true, longs: Number });

/** The client's class and the service's definition. */
export const Hello = grpc.loadPackageDefinition(definition).pb.Hello;

/** What a client sends: every field set but `field5`. */
export function request() {
  const message = {};
  for (const { name, type } of definition['pb.BenchmarkMessage'].type.field) {
    if (name === 'field5') continue;
    message[name] = { TYPE_STRING: TEXT, TYPE_BOOL: true }[type] ?? 100_000;
  }
  const { length } = Hello.service.Say.requestSerialize(message);
  if (length !== SIZE) throw new Error(`the message has ${length} bytes, not ${SIZE}`);
  return message;
}

/** What a server makes of it. */
export function answer(message) {
  message.field1 = 'OK';
  message.field2 = 100;
  return message;
}

/** Whether a reply is what a client expects. */
export function isOk(reply) {
  return reply.field1 === 'OK' && reply.field2 === 100;
}
