// An answer as a command.
package io.github.librpcx;

import io.github.librpcx.internal.Command;
import io.github.librpcx.internal.Records;
import java.nio.ByteBuffer;

/** Answers a request with a reply or an error, or decides about a token. */
final class Answer implements Command {
    private static final int OK = 0;
    private static final int FAILED = 1;

    private final int operation;
    private final int status;
    private final long id;
    private final byte[] metadata;
    private final Payload payload;

    private Answer(int operation, int status, long id, byte[] metadata, Payload payload) {
        this.operation = operation;
        this.status = status;
        this.id = id;
        this.metadata = metadata;
        this.payload = payload;
    }

    static Answer reply(Context context, Payload payload) {
        return new Answer(Records.ANSWER, OK, context.id(), context.responsePairs(), payload);
    }

    static Answer failure(Context context, String reason, String message) {
        return new Answer(Records.ANSWER, FAILED, context.id(), context.responsePairs(), error(reason, message));
    }

    static Answer admit(long id) {
        return new Answer(Records.ADMIT, OK, id, new byte[0], Payload.of(new byte[0]));
    }

    static Answer refuse(long id, String reason, String message) {
        return new Answer(Records.ADMIT, FAILED, id, new byte[0], error(reason, message));
    }

    private static Payload error(String reason, String message) {
        byte[] name = Records.utf8(reason);
        byte[] text = Records.utf8(message == null ? "" : message);
        return new Payload() {
            @Override
            int size() {
                return Records.size(name) + Records.size(text);
            }

            @Override
            void write(ByteBuffer out) {
                Records.put(out, name);
                Records.put(out, text);
            }
        };
    }

    @Override
    public int size() {
        return Math.addExact(Records.ANSWER_HEAD + metadata.length, payload.size());
    }

    @Override
    public void write(ByteBuffer out) {
        out.putInt(size()).put((byte) operation).put((byte) status).putShort((short) 0);
        out.putLong(id).putInt(metadata.length).put(metadata);
        payload.write(out);
    }
}
