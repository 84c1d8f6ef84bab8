package arith;

import com.fasterxml.jackson.annotation.JsonProperty;

/** What client and server agree on: a Go server would have the same names. */
public interface Arith {
    record Args(@JsonProperty("A") long a, @JsonProperty("B") long b) {}

    record Reply(@JsonProperty("C") long c) {}

    Reply mul(Args args);
}
