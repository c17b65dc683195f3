# pgjdbc: Debian's library package has the driver. The tests of the same version come from its source package, or from the project's
# repository, of which $PGJDBC_SOURCE may name a clone.
# shellcheck shell=bash

pgjdbc_sources() {
    debian_source libpgjava || pgjdbc_repository || return 1
    # Left out: what wants libraries that the distribution does not have, other servers beside the first, or Windows.
    (cd "$kept/src" && rm -f $(grep -rlE '^import (static )?(uk.org.webcompere|se.jiderhamn|org.osgi)|StubEnvironmentAndProperties' --include='*.java' src/test) &&
        rm -rf src/test/java/org/postgresql/test/{osgi,sspi,hostchooser} && find src/test -name '*Suite.java' ! -name AutoRollbackTestSuite.java -delete
        find src/test -name '*.java' -exec sed -i -E -e '/^import org.checkerframework/d' -e 's/@Nullable\b//g' {} +)
    java_compile "$kept/classes" $(find "$kept/src/src/test/java" -name '*.java') && cp -r "$kept/src/src/test/resources/." "$kept/classes/" &&
        java_compile "$kept/runner" "$suites/pgjdbc/Outcomes.java"
}

# Its root has what the release has, one folder further down.
pgjdbc_repository() {
    local version
    version=$(dpkg-query -Wf '${Version}' libpostgresql-jdbc-java) && rm -rf "$kept/src" &&
        git_source https://github.com/pgjdbc/pgjdbc "REL${version%%-*}" "${PGJDBC_SOURCE:-}" && cp -r "$kept/src/pgjdbc/src" "$kept/src/src"
}

java_path=$(printf '/usr/share/java/%s.jar:' postgresql junit4 hamcrest junit-jupiter-{api,engine,params} junit-vintage-engine \
    junit-platform-{commons,engine,launcher} opentest4j apiguardian-api univocity-parsers)

# java_compile FOLDER FILE...
java_compile() { javac -nowarn -Xlint:none -encoding UTF-8 -cp "$java_path:$kept/classes" -d "$@"; }

# In a pool the test of a COPY whose server is terminated by the number of its login would go on for ever: that names nobody.
declare -A without=([session]= [transaction]='.*testLockReleaseOnCancelFailure.*')

pgjdbc_start() {
    (cd "$kept/src" && timeout 3600 java -Xmx768m -cp "$java_path:$kept/classes:$kept/runner" -Dserver="$PGHOST" -Dport="$PGPORT" -Ddatabase="$PGDATABASE" \
        -Dusername=test -Dpassword=test -DprivilegedUser="$PGUSER" -DprivilegedPassword="$PGPASSWORD" -Dpreparethreshold=5 -DprotocolVersion=0 \
        -Dbuild.properties.relative.path="$kept/src" -Djunit.jupiter.execution.timeout.default=60s \
        Outcomes "$kept/classes" '.*(Test|Tests|TestSuite|Test[$].*)$' "${without[$mode]}")
}

pgjdbc_server() {
    server_does "$1" <<'SQL'
CREATE ROLE test LOGIN PASSWORD 'test';
ALTER DATABASE suites OWNER TO test;
CREATE EXTENSION hstore;
SQL
}

pgjdbc_users() { echo test test; }
