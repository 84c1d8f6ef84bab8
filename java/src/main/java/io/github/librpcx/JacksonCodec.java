// JSON and MessagePack.
package io.github.librpcx;

import com.fasterxml.jackson.annotation.JsonSetter;
import com.fasterxml.jackson.annotation.Nulls;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JavaType;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.cfg.MapperBuilder;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.msgpack.jackson.dataformat.ExtensionTypeCustomDeserializers;
import org.msgpack.jackson.dataformat.MessagePackFactory;

/**
 * Jackson, with the conventions of Go: nil is the zero value of texts, lists, maps and numbers, unknown fields are passed over,
 * moments are timestamps (RFC 3339 in JSON, extension −1 in MessagePack), bytes are base64 in JSON and binary in MessagePack.
 */
final class JacksonCodec implements Codec {
    private static final List<Class<?>> EMPTY_FOR_NIL =
            List.of(String.class, List.class, Collection.class, Set.class, Map.class, byte[].class);
    /** How deep values may be nested. */
    private static final int DEEPEST = 200;

    private final ObjectMapper mapper;
    /** The format's parser takes the length of a part of an array for its end. */
    private final boolean copies;
    private final Map<Type, ObjectReader> readers = new ConcurrentHashMap<>();

    private JacksonCodec(ObjectMapper mapper, boolean copies) {
        this.mapper = mapper;
        this.copies = copies;
    }

    static JacksonCodec json() {
        // Not so for MessagePack, whose parser fails at the end of its input.
        return new JacksonCodec(
                configure(JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)), false);
    }

    static JacksonCodec msgpack() {
        ExtensionTypeCustomDeserializers extensions = new ExtensionTypeCustomDeserializers();
        extensions.addCustomDeser(GoTime.EXTENSION, GoTime::read);
        MessagePackFactory factory = new MessagePackFactory().setExtTypeCustomDesers(extensions);
        return new JacksonCodec(configure(new MsgpackBuilder(factory)), true);
    }

    private static ObjectMapper configure(MapperBuilder<?, ?> builder) {
        builder.disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                .disable(SerializationFeature.FAIL_ON_EMPTY_BEANS)
                .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
                .disable(MapperFeature.AUTO_DETECT_IS_GETTERS)
                .addModule(new GoTime.Module());
        ObjectMapper mapper = builder.build();
        mapper.getFactory()
                .setStreamReadConstraints(StreamReadConstraints.builder()
                        .maxNestingDepth(DEEPEST)
                        .maxStringLength(Integer.MAX_VALUE)
                        .build());
        for (Class<?> type : EMPTY_FOR_NIL) {
            mapper.configOverride(type).setSetterInfo(JsonSetter.Value.forValueNulls(Nulls.AS_EMPTY));
        }
        return mapper;
    }

    @Override
    public byte[] encode(Object value) throws Exception {
        return mapper.writeValueAsBytes(value);
    }

    @Override
    public Object decode(ByteBuffer payload, Type type) throws Exception {
        ObjectReader reader = readers.get(type);
        if (reader == null) {
            JavaType resolved = mapper.constructType(type);
            reader = mapper.readerFor(resolved);
            readers.put(type, reader);
        }
        int from = payload.arrayOffset() + payload.position();
        if (copies) {
            return reader.readValue(Arrays.copyOfRange(payload.array(), from, from + payload.remaining()));
        }
        return reader.readValue(payload.array(), from, payload.remaining());
    }

    /** The builder that the MessagePack format lacks. */
    private static final class MsgpackBuilder extends MapperBuilder<ObjectMapper, MsgpackBuilder> {
        MsgpackBuilder(MessagePackFactory factory) {
            super(new ObjectMapper(factory));
        }
    }
}
