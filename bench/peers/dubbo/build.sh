#!/bin/sh
# Builds .cache/peers/dubbo/dubbo.jar, with what it needs in lib beside it, when a source is newer.
set -eu
cd "$(dirname "$(readlink -f "$0")")"
jar=../../../.cache/peers/dubbo/dubbo.jar
if [ ! -f "$jar" ] || [ -n "$(find pom.xml src ../java/src ../../proto -type f -newer "$jar")" ]; then
    mvn -q -B package
    touch "$jar"
fi
