// Other JVMs, for tests.
package io.github.librpcx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** Starts JVMs on the class path of the tests. */
final class Jvm {
    private static final long PATIENCE_SECONDS = 180;

    private Jvm() {}

    /** The program {@code java} of this JVM. */
    static Path own() {
        return Path.of(System.getProperty("java.home"), "bin", "java");
    }

    /**
     * The newest JVM of at least this version: this one, that of {@code RPCX_NEWER_JAVA_HOME}, or one that is installed beside it.
     */
    static Optional<Path> newer(int version) throws IOException {
        List<Path> homes = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"))));
        Optional.ofNullable(System.getenv("RPCX_NEWER_JAVA_HOME")).map(Path::of).ifPresent(homes::add);
        Path folder = homes.get(0).toRealPath().getParent();
        try (Stream<Path> beside = Files.list(folder)) {
            beside.forEach(homes::add);
        }
        Path newest = null;
        int best = version - 1;
        for (Path home : homes) {
            int found = version(home);
            if (found > best && Files.isExecutable(home.resolve("bin/java"))) {
                best = found;
                newest = home.resolve("bin/java");
            }
        }
        return Optional.ofNullable(newest);
    }

    private static int version(Path home) throws IOException {
        Path release = home.resolve("release");
        if (!Files.isReadable(release)) {
            return 0;
        }
        Properties properties = new Properties();
        try (var in = Files.newInputStream(release)) {
            properties.load(in);
        }
        String text = properties.getProperty("JAVA_VERSION", "0").replace("\"", "");
        return Integer.parseInt(text.split("\\D", 2)[0]);
    }

    /** Runs a class to its end and gives what it wrote; it must end well. */
    static String run(Path java, List<String> options, Class<?> main, String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of(java.toString()));
        command.addAll(options);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
        command.addAll(List.of(arguments));
        Path output = Files.createTempFile("rpcx-jvm", ".out");
        try {
            Process child = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output.toFile()).start();
            boolean ended = child.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS);
            if (!ended) {
                child.destroyForcibly().waitFor();
            }
            String text = Files.readString(output, StandardCharsets.UTF_8);
            assertTrue(ended, "not within " + PATIENCE_SECONDS + " s: " + text);
            assertEquals(0, child.exitValue(), text);
            return text;
        } finally {
            Files.delete(output);
        }
    }
}
