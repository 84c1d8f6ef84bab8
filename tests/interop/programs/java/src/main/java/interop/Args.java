// A small command line.
package interop;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What was given, by name: {@code --name VALUE…}, every name known in advance. */
final class Args {
    private final Map<String, List<String>> given = new HashMap<>();
    private final String usage;

    /** Reads arguments. Ends the process for {@code --help}, and with status 2 for what is not known. */
    Args(String[] args, String usage, Set<String> known) {
        this.usage = usage;
        List<String> current = null;
        for (String arg : args) {
            if (arg.equals("--help") || arg.equals("-h")) {
                System.out.print(usage);
                System.exit(0);
            }
            if (arg.startsWith("--") && known.contains(arg.substring(2))) {
                current = given.computeIfAbsent(arg.substring(2), name -> new ArrayList<>());
            } else if (arg.startsWith("--") || current == null) {
                throw refuse("unknown argument " + arg);
            } else {
                current.add(arg);
            }
        }
        given.forEach((name, values) -> {
            if (values.isEmpty()) {
                throw refuse("--" + name + " needs a value");
            }
        });
    }

    /** Says what is wrong and ends the process. */
    RuntimeException refuse(String misuse) {
        System.err.println(misuse + "\n\n" + usage);
        System.exit(2);
        return new IllegalStateException(misuse);
    }

    List<String> all(String name) {
        return given.getOrDefault(name, List.of());
    }

    /** The value of a name that may be given once; null without it. */
    String one(String name) {
        List<String> values = all(name);
        if (values.size() > 1) {
            throw refuse("--" + name + " is given once, but " + values.get(1) + " follows");
        }
        return values.isEmpty() ? null : values.get(0);
    }

    String one(String name, String usual) {
        String value = one(name);
        return value == null ? usual : value;
    }

    double number(String name, double usual) {
        String value = one(name);
        try {
            return value == null ? usual : Double.parseDouble(value);
        } catch (NumberFormatException e) {
            throw refuse("--" + name + " " + value + ": expected a number");
        }
    }
}
