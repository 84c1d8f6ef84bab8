// What one call wants otherwise than its client.
package io.github.librpcx;

import io.github.librpcx.internal.Records;
import io.github.librpcx.internal.Writer;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/**
 * Options of a single call; what is left out is as the client has it. Immutable: build one, keep it, use it from any thread.
 *
 * <pre>{@code
 * CallOptions quick = CallOptions.builder().timeout(Duration.ofMillis(200)).metadata("user", "ada").build();
 * }</pre>
 */
public final class CallOptions {
    private static final byte[] NONE = new byte[0];
    private static final long UNSET = -1;

    /** The client's value for everything. */
    public static final CallOptions DEFAULT = builder().build();

    private final Map<String, String> metadata;
    private final Map<String, String> values;
    private final long timeoutNanos;
    private final SerializeType serializeType;
    private final Context parent;
    private final boolean orphan;
    /** Metadata and options as they cross, or empty. */
    private final byte[] encoded;

    private CallOptions(Builder from) {
        this.metadata = Map.copyOf(from.metadata);
        this.values = Map.copyOf(from.values.all());
        this.timeoutNanos = from.timeoutNanos;
        this.serializeType = from.serializeType;
        this.parent = from.parent;
        this.orphan = from.orphan;
        this.encoded = from.metadata.isEmpty() && from.values.all().isEmpty()
                ? NONE
                : new Writer().raw(Records.pairs(from.metadata)).raw(Records.pairs(from.values.all())).bytes();
    }

    /**
     * Begins with the client's value for everything.
     *
     * @return a builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Begins with these options.
     *
     * @return a builder
     */
    public Builder toBuilder() {
        Builder builder = new Builder();
        builder.metadata.putAll(metadata);
        values.forEach(builder.values::set);
        builder.timeoutNanos = timeoutNanos;
        builder.serializeType = serializeType;
        builder.parent = parent;
        builder.orphan = orphan;
        return builder;
    }

    /**
     * The metadata that is sent along.
     *
     * @return an unmodifiable map
     */
    public Map<String, String> metadata() {
        return metadata;
    }

    /**
     * The time for the whole call.
     *
     * @return the time, zero for none, or null when it is the client's
     */
    public Duration timeout() {
        return timeoutNanos == UNSET ? null : Duration.ofNanos(timeoutNanos);
    }

    /**
     * How arguments and reply are encoded.
     *
     * @return the type, or null when it goes by the argument and the client
     */
    public SerializeType serializeType() {
        return serializeType;
    }

    long timeoutNanos() {
        return timeoutNanos;
    }

    byte[] encoded() {
        return encoded;
    }

    /** The request that a call with these options is made for, or null. */
    Context lineage() {
        if (parent != null || orphan) {
            return parent;
        }
        return Context.current();
    }

    /** Builds {@link CallOptions}. */
    public static final class Builder {
        private final Map<String, String> metadata = new LinkedHashMap<>();
        private final OptionValues values = new OptionValues();
        private long timeoutNanos = UNSET;
        private SerializeType serializeType;
        private Context parent;
        private boolean orphan;

        private Builder() {}

        /**
         * The time for the whole call, all attempts included.
         *
         * @param timeout the time; zero: no deadline, an inherited one aside
         * @return this
         */
        public Builder timeout(Duration timeout) {
            OptionValues.text(timeout);
            timeoutNanos = timeout.toNanos();
            return this;
        }

        /**
         * Adds a pair of metadata.
         *
         * @param key its key
         * @param value its value
         * @return this
         */
        public Builder metadata(String key, String value) {
            metadata.put(Objects.requireNonNull(key, "key"), Objects.requireNonNull(value, key));
            return this;
        }

        /**
         * Adds pairs of metadata.
         *
         * @param pairs keys and values
         * @return this
         */
        public Builder metadata(Map<String, String> pairs) {
            pairs.forEach(this::metadata);
            return this;
        }

        /**
         * How arguments and reply are encoded. Unset: Protocol Buffers and Thrift for their messages, raw for {@code byte[]},
         * else as the client has it.
         *
         * @param type the serialize type
         * @return this
         */
        public Builder serializeType(SerializeType type) {
            serializeType = Objects.requireNonNull(type, "type");
            return this;
        }

        /**
         * How the payload is compressed when it is large enough.
         *
         * @param type the compressor
         * @return this
         */
        public Builder compressType(CompressType type) {
            return option("compress_type", type.toString());
        }

        /**
         * What to do when an attempt fails.
         *
         * @param mode the fail mode
         * @return this
         */
        public Builder failMode(FailMode mode) {
            return option("fail_mode", mode.toString());
        }

        /**
         * Attempts after the first.
         *
         * @param retries at most 100
         * @return this
         */
        public Builder retries(int retries) {
            return option("retries", Integer.toString(retries));
        }

        /**
         * Whether running the handler twice does no harm, so that a call that may have run is tried again.
         *
         * @param idempotent whether it does none
         * @return this
         */
        public Builder idempotent(boolean idempotent) {
            return option("idempotent", Boolean.toString(idempotent));
        }

        /**
         * What select mode {@code consistent_hash} goes by, instead of service, method and payload.
         *
         * @param key any text
         * @return this
         */
        public Builder hashKey(String key) {
            return option("hash_key", key);
        }

        /**
         * The only server to use.
         *
         * @param address spelled as the discovery does
         * @return this
         */
        public Builder target(String address) {
            return option("target", address);
        }

        /**
         * The request that the call is made for: it inherits what is left of that one's deadline, and the metadata of which
         * the client's option {@code propagate_metadata} names the keys. Unset: the request whose handler runs on this thread.
         *
         * @param context the request
         * @return this
         */
        public Builder parent(Context context) {
            parent = Objects.requireNonNull(context, "context");
            orphan = false;
            return this;
        }

        /**
         * The call inherits nothing, though it is made in a handler: for work that goes on after the handler's own call.
         *
         * @return this
         */
        public Builder withoutParent() {
            parent = null;
            orphan = true;
            return this;
        }

        /**
         * Any option of a call by its name in {@code docs/CONFIGURATION.md}. A wrong name or value fails the call with kind
         * {@link ErrorKind#CONFIG}.
         *
         * @param name the name, such as {@code backup_latency}
         * @param value the value as text, such as {@code 15ms}
         * @return this
         */
        public Builder option(String name, String value) {
            if (name.equals("serialize_type")) {
                serializeType = OptionValues.serializeType(value);
            }
            values.set(name, value);
            return this;
        }

        /**
         * An option that is a time.
         *
         * @param name the name
         * @param value the time
         * @return this
         */
        public Builder option(String name, Duration value) {
            values.set(name, value);
            return this;
        }

        /**
         * The options.
         *
         * @return an immutable value
         */
        public CallOptions build() {
            return new CallOptions(this);
        }
    }
}
