/** The boundary to the native library. Not for users: it may change in any version. */
package io.github.librpcx.internal;
