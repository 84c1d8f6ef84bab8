// The messages of Arith in four formats: Jackson's two by fields, Protocol Buffers by a codec, Thrift by hand.
package interop;

import interop.pb.ArithProto;
import io.github.librpcx.Codec;
import io.github.librpcx.SerializeType;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import org.apache.thrift.TException;
import org.apache.thrift.TSerializable;
import org.apache.thrift.protocol.TField;
import org.apache.thrift.protocol.TProtocol;
import org.apache.thrift.protocol.TProtocolException;
import org.apache.thrift.protocol.TProtocolUtil;
import org.apache.thrift.protocol.TStruct;
import org.apache.thrift.protocol.TType;

/** Arguments and reply of {@code Arith}. */
final class Arith {
    private Arith() {}

    /** Two numbers. */
    public static final class Args implements TSerializable {
        public long A;
        public long B;

        @Override
        public void read(TProtocol in) throws TException {
            numbers(in, (field, value) -> {
                if (field == 1) {
                    A = value;
                } else if (field == 2) {
                    B = value;
                }
            });
        }

        @Override
        public void write(TProtocol out) throws TException {
            out.writeStructBegin(new TStruct("ArithArgs"));
            number(out, "A", 1, A);
            number(out, "B", 2, B);
            out.writeFieldStop();
            out.writeStructEnd();
        }
    }

    /** What came of them. */
    public static final class Reply implements TSerializable {
        public long C;

        /** For decoders. */
        public Reply() {}

        Reply(long c) {
            C = c;
        }

        @Override
        public void read(TProtocol in) throws TException {
            numbers(in, (field, value) -> {
                if (field == 1) {
                    C = value;
                }
            });
        }

        @Override
        public void write(TProtocol out) throws TException {
            out.writeStructBegin(new TStruct("ArithReply"));
            number(out, "C", 1, C);
            out.writeFieldStop();
            out.writeStructEnd();
        }
    }

    private interface Setter {
        void set(int field, long value);
    }

    /** Reads a struct of {@code i32} fields; fields of other types are passed over. */
    private static void numbers(TProtocol in, Setter setter) throws TException {
        in.readStructBegin();
        for (TField field = in.readFieldBegin(); field.type != TType.STOP; field = in.readFieldBegin()) {
            if (field.type == TType.I32) {
                setter.set(field.id, in.readI32());
            } else {
                TProtocolUtil.skip(in, field.type);
            }
            in.readFieldEnd();
        }
        in.readStructEnd();
    }

    private static void number(TProtocol out, String name, int id, long value) throws TException {
        if ((int) value != value) {
            throw new TProtocolException(TProtocolException.INVALID_DATA, name + ": " + value + " is no i32");
        }
        out.writeFieldBegin(new TField(name, TType.I32, (short) id));
        out.writeI32((int) value);
        out.writeFieldEnd();
    }

    /** Protocol Buffers: these two as messages, generated ones as they are. */
    static final class Protobuf implements Codec {
        private final Codec standard = Codec.standard(SerializeType.PROTOBUF);

        @Override
        public byte[] encode(Object value) throws Exception {
            if (value instanceof Args args) {
                return ArithProto.Args.newBuilder().setA(args.A).setB(args.B).build().toByteArray();
            }
            if (value instanceof Reply reply) {
                return ArithProto.Reply.newBuilder().setC(reply.C).build().toByteArray();
            }
            return standard.encode(value);
        }

        @Override
        public Object decode(ByteBuffer payload, Type type) throws Exception {
            if (type == Args.class) {
                ArithProto.Args message = ArithProto.Args.parseFrom(payload);
                Args args = new Args();
                args.A = message.getA();
                args.B = message.getB();
                return args;
            }
            if (type == Reply.class) {
                return new Reply(ArithProto.Reply.parseFrom(payload).getC());
            }
            return standard.decode(payload, type);
        }
    }
}
