#!/bin/sh
# Installs the peers of the template bench: `benches/peers/install.sh FOLDER`. Debian's packages need root.
set -eu
folder=$1
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$folder"

if ! [ -f /usr/share/java/velocity.jar ] || ! [ -f /usr/share/java/json-path.jar ] || ! [ -f /usr/share/java/jackson-databind.jar ] || ! command -v javac >/dev/null; then
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends velocity libjsonpath-java libjackson2-databind-java default-jdk-headless
fi
command -v node >/dev/null || apt-get install -y -qq --no-install-recommends nodejs npm
[ -d "$folder/node_modules/velocityjs" ] || npm install --silent --prefix "$folder" velocityjs@2.1.7
if ! [ -x "$folder/venv/bin/python" ]; then
  python3 -m venv "$folder/venv" || { apt-get install -y -qq python3-venv && python3 -m venv "$folder/venv"; }
fi
"$folder/venv/bin/python" -c 'import airspeed' 2>/dev/null || "$folder/venv/bin/pip" install --quiet airspeed==0.7.1

jars=/usr/share/java
classes=$jars/velocity.jar:$jars/commons-lang.jar:$jars/commons-collections3.jar:$jars/json-path.jar:$jars/json-smart.jar:$jars/jackson-core.jar:$jars/jackson-annotations.jar:$jars/jackson-databind.jar:$jars/accessors-smart.jar:$jars/slf4j-api.jar:$jars/slf4j-nop.jar:$jars/asm.jar:$folder
echo "$classes" >"$folder/classpath"
javac -nowarn -Xlint:none -cp "$classes" -d "$folder" "$here/Velocity.java"
