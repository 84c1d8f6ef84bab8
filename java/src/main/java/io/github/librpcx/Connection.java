// A client's connection, seen from the server.
package io.github.librpcx;

import io.github.librpcx.internal.Natives;
import io.github.librpcx.internal.Records;
import io.github.librpcx.internal.Writer;
import java.lang.ref.Cleaner;
import java.util.Map;

/** A client's connection to this server. Usable from any thread, also after its end. */
public final class Connection {
    private static final Cleaner CLEANER = Cleaner.create();

    private final long address;

    Connection(long address) {
        this.address = address;
        CLEANER.register(this, () -> Natives.freeConnection(address));
    }

    /**
     * The client's address.
     *
     * @return {@code host:port}, or the path of a Unix socket, which may be empty
     */
    public String peer() {
        return Failures.ask(this, address, connection -> Natives.aboutConnection(connection, Records.ABOUT_PEER));
    }

    /**
     * A number that no other connection of this process has.
     *
     * @return the number
     */
    public long id() {
        return Failures.ask(this, address, Natives::connectionId);
    }

    /**
     * Whether it has not ended.
     *
     * @return whether it is open
     */
    public boolean isOpen() {
        return Failures.ask(this, address, Natives::isOpen);
    }

    /**
     * Sends a message to the client.
     *
     * @param service the service path that it names
     * @param method the method that it names
     * @param payload its payload
     * @param metadata its metadata
     * @throws RpcException when too many wait, or the connection has ended
     */
    public void push(String service, String method, byte[] payload, Map<String, String> metadata) {
        byte[] message = new Writer().text(service).text(method).raw(Records.pairs(metadata)).raw(payload).bytes();
        Failures.ask(this, address, connection -> {
            Natives.push(connection, message);
            return null;
        });
    }

    /** Ends it without a word. */
    public void close() {
        Failures.ask(this, address, connection -> {
            Natives.closeConnection(connection);
            return null;
        });
    }
}
