// Finds and loads the native library.
package io.github.librpcx.internal;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Locale;

/**
 * Loads the native library: the file that the property {@code io.github.librpcx.library} names, else the one that lies in the jar
 * (or in another jar of the class path) for this platform. The latter is copied to a file of its own for each class loader, since
 * the JVM refuses to load one file for two of them.
 */
final class NativeLibrary {
    /** Names the library's file. */
    static final String PROPERTY = "io.github.librpcx.library";

    private static final String FOLDER = "/io/github/librpcx/native/";

    private NativeLibrary() {}

    static void load() {
        String given = System.getProperty(PROPERTY);
        if (given != null) {
            loadFile(Path.of(given).toAbsolutePath(), "the property " + PROPERTY + " names it");
            return;
        }
        String resource = FOLDER + platform() + "/" + System.mapLibraryName("rpcx_jni");
        try (InputStream library = find(resource)) {
            if (library == null) {
                throw new UnsatisfiedLinkError("librpcx has no native library for " + platform() + " on the class path ("
                        + resource + "); add the jar with that classifier, or name the file by -D" + PROPERTY + "=FILE");
            }
            loadFile(copy(library), "copied from " + resource);
        } catch (IOException e) {
            throw failed("librpcx cannot copy its native library to " + System.getProperty("java.io.tmpdir")
                    + "; set java.io.tmpdir, or name the file by -D" + PROPERTY + "=FILE", e);
        }
    }

    /** In this jar or module, else in another one: that of a classifier is a module of its own. */
    private static InputStream find(String resource) {
        InputStream own = NativeLibrary.class.getResourceAsStream(resource);
        ClassLoader loader = NativeLibrary.class.getClassLoader();
        return own != null || loader == null ? own : loader.getResourceAsStream(resource.substring(1));
    }

    private static Path copy(InputStream library) throws IOException {
        Path file = Files.createTempFile("librpcx-", "-" + System.mapLibraryName("rpcx_jni"));
        Files.copy(library, file, StandardCopyOption.REPLACE_EXISTING);
        return file;
    }

    private static void loadFile(Path file, String why) {
        boolean copied = why.startsWith("copied");
        try {
            System.load(file.toString());
        } catch (UnsatisfiedLinkError e) {
            String hint = String.valueOf(e.getMessage()).contains("already loaded in another classloader")
                    ? "; another class loader has loaded this file: let both share one class loader, or leave the property out"
                    : "";
            throw failed("librpcx cannot load its native library " + file + " (" + why + "): " + e.getMessage() + hint, e);
        } finally {
            if (copied) {
                delete(file);
            }
        }
    }

    /** A loaded file is no longer needed by its name, except on Windows, which keeps it until the JVM ends. */
    private static void delete(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            file.toFile().deleteOnExit();
        }
    }

    private static UnsatisfiedLinkError failed(String text, Throwable cause) {
        UnsatisfiedLinkError error = new UnsatisfiedLinkError(text);
        error.initCause(cause);
        return error;
    }

    /** The classifier of this platform, such as {@code linux-x86_64} or {@code osx-aarch_64}. */
    static String platform() {
        String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        String machine = System.getProperty("os.arch").toLowerCase(Locale.ROOT);
        String name = os.startsWith("mac") ? "osx" : os.startsWith("windows") ? "windows" : os.startsWith("linux") ? "linux" : os;
        String arch = switch (machine) {
            case "amd64", "x86_64", "x64" -> "x86_64";
            case "aarch64", "arm64" -> "aarch_64";
            default -> machine;
        };
        return name + "-" + arch;
    }
}
