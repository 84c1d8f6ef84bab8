#!/bin/sh
# Builds .cache/peers/java/grpc-java.jar, with what it needs in lib beside it, when a source is newer.
set -eu
cd "$(dirname "$(readlink -f "$0")")"
jar=../../../.cache/peers/java/grpc-java.jar
if [ ! -f "$jar" ] || [ -n "$(find pom.xml src ../../proto -type f -newer "$jar")" ]; then
    mvn -q -B package
    touch "$jar"
fi
