// To whom a call goes.
package io.github.librpcx;

/** To how many servers a call goes, and which answer counts. */
public enum CallKind {
    /** To one server, with retries as the fail mode says. */
    CALL(0),
    /** To all servers; it fails when one of them fails. */
    BROADCAST(1),
    /** To all servers; the first good answer counts. */
    FORK(2);

    private final int number;

    CallKind(int number) {
        this.number = number;
    }

    /** The number in commands. */
    int number() {
        return number;
    }
}
