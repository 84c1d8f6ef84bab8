// The error table of this package against that of all languages.
package io.github.librpcx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ErrorTableTest {
    private static final Path VECTORS = Path.of("../tests/vectors/errors.json");

    private static JsonNode table() throws IOException {
        return new ObjectMapper().readTree(VECTORS.toFile());
    }

    @Test
    void kindsHaveTheirNumbers() throws IOException {
        List<String> expected = new ArrayList<>();
        table().get("kinds").forEach(kind -> expected.add(kind.get("kind").asText() + "=" + kind.get("code").asInt()));
        List<String> ours = Arrays.stream(ErrorKind.values()).map(kind -> kind + "=" + kind.code()).toList();
        assertEquals(expected, ours);
    }

    @Test
    void deliveriesHaveTheirNames() throws IOException {
        List<String> expected = new ArrayList<>();
        table().get("deliveries").forEach(delivery -> expected.add(delivery.asText()));
        assertEquals(expected, Arrays.stream(Delivery.values()).map(Delivery::toString).toList());
    }

    @Test
    void everyReasonMakesAnExceptionOfItsKind() throws IOException {
        Set<Class<?>> classes = new HashSet<>();
        for (JsonNode row : table().get("reasons")) {
            String reason = row.get("reason").asText();
            RpcException error = RpcException.of(reason, "text", Delivery.MAYBE_RUN, null);
            assertEquals(row.get("kind").asText(), error.kind().toString(), reason);
            assertEquals(row.get("code").asInt(), error.code(), reason);
            assertEquals(reason, error.reason());
            classes.add(error.getClass());
        }
        assertEquals(ErrorKind.values().length, classes.size());
        assertFalse(classes.contains(RpcException.class));
    }

    @Test
    void theNativeTableIsTheSame() throws IOException {
        JsonNode ours = new ObjectMapper().readTree(Rpcx.errorsJson());
        assertEquals(table().get("kinds").size(), ours.get("kinds").size());
        assertEquals(table().get("reasons").size(), ours.get("reasons").size());
    }

    @Test
    void whoWaitedGetsItsOwnStack() {
        RpcException told = RpcException.told("timeout.call", "late", Delivery.MAYBE_RUN, 2, "tcp@h:1");
        assertEquals(0, told.getStackTrace().length);
        RpcException here = told.here();
        assertNotSame(told, here);
        assertTrue(here.getStackTrace().length > 0);
        assertEquals(RpcException.Timeout.class, here.getClass());
        assertEquals(List.of("late", "tcp@h:1", "2"), List.of(here.getMessage(), here.server(), "" + here.attempts()));
    }

    @Test
    void anUnknownOptionIsNamedWithTheNearest() {
        RpcException.Config error = assertThrows(
                RpcException.Config.class, () -> Client.builder(List.of()).option("timout", "1s").build());
        assertEquals("unknown option `timout`: did you mean `timeout`?", error.getMessage());
        assertEquals(Delivery.NOT_SENT, error.delivery());
    }
}
