// The options of this package against the table.
package io.github.librpcx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class OptionTableTest {
    private static Map<String, JsonNode> options(String scope) throws IOException {
        Map<String, JsonNode> options = new HashMap<>();
        for (JsonNode row : new ObjectMapper().readTree(Rpcx.optionsJson())) {
            if (row.get("scope").asText().equals(scope)) {
                options.put(row.get("name").asText(), row);
            }
        }
        return options;
    }

    private static void accepts(Consumer<Client.Builder> set) {
        Client.Builder builder = Client.builder(List.of());
        set.accept(builder);
        builder.build().close();
    }

    @Test
    void everyOptionOfAClientCanBeSetToItsDefault() throws IOException {
        Map<String, JsonNode> options = options("client");
        assertTrue(options.size() > 50, options.keySet().toString());
        for (JsonNode row : options.values()) {
            String value = row.get("default").asText("");
            if (!value.isEmpty()) {
                accepts(builder -> builder.option(row.get("name").asText(), value));
            }
        }
    }

    @Test
    void theBuildersMethodsNameOptions() {
        accepts(builder -> builder
                .timeout(Duration.ofSeconds(2))
                .connectTimeout(Duration.ofMillis(300))
                .retries(1)
                .connections(2)
                .auth("token")
                .option("retry_budget.ratio", "0.5")
                .option("breaker.enabled", true)
                .option("max_in_flight", 100)
                .option("heartbeat_interval", Duration.ofSeconds(1)));
    }

    @Test
    void everyNameOfAnEnumIsAValueOfItsOption() {
        Arrays.stream(FailMode.values()).forEach(mode -> accepts(builder -> builder.failMode(mode)));
        Arrays.stream(SelectMode.values()).forEach(mode -> accepts(builder -> builder
                .selectMode(mode).option("latitude", "1").option("longitude", "1")));
        Arrays.stream(CompressType.values()).forEach(type -> accepts(builder -> builder.compressType(type)));
        for (int number = 0; number < 16; number++) {
            SerializeType type = new SerializeType(number);
            accepts(builder -> builder.serializeType(type));
            assertEquals(type, CallOptions.builder().option("serialize_type", type.toString()).build().serializeType());
        }
    }

    @Test
    void theEnumsHaveEveryValue() throws IOException {
        Map<String, JsonNode> options = options("client");
        for (FailMode mode : FailMode.values()) {
            assertTrue(options.get("fail_mode").get("range").asText().contains(mode.toString()));
        }
        for (SelectMode mode : SelectMode.values()) {
            assertTrue(options.get("select_mode").get("range").asText().contains(mode.toString()));
        }
        assertEquals(FailMode.values().length, options.get("fail_mode").get("range").asText().chars().filter(c -> c == ',').count() + 1);
        assertEquals(SelectMode.values().length, options.get("select_mode").get("range").asText().chars().filter(c -> c == ',').count() + 1);
    }

    @Test
    void aValueOutOfRangeIsRefused() {
        assertThrows(RpcException.Config.class, () -> accepts(builder -> builder.retries(101)));
        assertThrows(RpcException.Config.class, () -> accepts(builder -> builder.timeout(Duration.ofMillis(-1))));
        assertThrows(RpcException.Config.class, () -> accepts(builder -> builder.timeout(Duration.ofDays(1000))));
        assertThrows(RpcException.Config.class, () -> Client.open("nothing@here"));
        assertThrows(RpcException.Config.class, () -> Server.builder().listen("tcp@127.0.0.1:none").start());
        assertThrows(RpcException.Config.class, () -> new SerializeType(16));
    }

    @Test
    void optionsOfACallAreKeptByItsBuilder() {
        CallOptions options = CallOptions.builder().timeout(Duration.ofMillis(5)).metadata("k", "v").retries(1).build();
        CallOptions more = options.toBuilder().metadata("l", "w").build();
        assertEquals(Map.of("k", "v"), options.metadata());
        assertEquals(Map.of("k", "v", "l", "w"), more.metadata());
        assertEquals(Duration.ofMillis(5), more.timeout());
    }
}
