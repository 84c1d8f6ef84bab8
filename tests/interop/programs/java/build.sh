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

# Lays out what server and driver load to make a call: their JVMs then start in half the time.
cd "$folder/target"
rm -f ./*.jsa
export RPCX_CLASSES=ArchiveClassesAtExit
until_said() {
    tries=0
    until grep -q "$1" "$2"; do
        tries=$((tries + 1))
        [ $tries -lt 600 ] || { cat "$2" archive.log >&2; return 1; }
        sleep 0.05
    done
}
: >client.txt
../server --listen tcp@127.0.0.1:0 >server.txt 2>archive.log &
server=$!
trap 'kill -9 $server 2>/dev/null || true' EXIT
until_said ready server.txt
address=$(sed -n 's/.*"\(tcp@[^"]*\)".*/\1/p' server.txt)
call='"do":"call","client":"c","service":"Arith","method":"Mul","args":{"A":6,"B":7}'
# The end of its input would end the calls.
{
    printf '%s\n' "{\"id\":1,\"do\":\"client\",\"name\":\"c\",\"discovery\":\"$address\"}" "{\"id\":2,$call}" "{\"id\":3,$call,\"codec\":\"json\"}"
    until_said '"id":2' client.txt && until_said '"id":3' client.txt
} | ../client >client.txt 2>>archive.log
[ "$(grep -c '"C":42' client.txt)" = 2 ] || { cat client.txt archive.log >&2; exit 1; }
kill -TERM $server
wait $server
