#!/bin/sh
# Builds the native library, installs the Java package into Maven's local repository, and builds the programs on it.
# RPCX_PROFILE=debug takes cargo's debug build. RPCX_MAVEN holds further arguments for Maven.
set -eu
folder=$(dirname "$(readlink -f "$0")")
cd "$folder/../../../.."
java/native
export MAVEN_OPTS="${MAVEN_OPTS:--Xmx512m}"
# A first run fetches plugins and libraries; later ones do without the network.
maven() {
    mvn -q -B -o ${RPCX_MAVEN:-} "$@" >/dev/null 2>&1 || mvn -q -B ${RPCX_MAVEN:-} "$@"
}
maven -f java/pom.xml -DskipTests -Dmaven.javadoc.skip=true install
maven -f "$folder/pom.xml" package
