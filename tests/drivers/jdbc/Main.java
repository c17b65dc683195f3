import java.io.StringReader;
import java.io.StringWriter;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.Properties;
import org.postgresql.PGConnection;
import org.postgresql.largeobject.LargeObject;
import org.postgresql.largeobject.LargeObjectManager;

/** JDBC as a service uses it: batches (pipelines), server-prepared statements, fetch size, COPY, large objects, cancel. */
public final class Main {
    private static final boolean GUARDED = "1".equals(System.getenv("FLOODWALL_GUARDED"));

    public static void main(String[] args) throws Exception {
        Class.forName("org.postgresql.Driver");
        run("extended");
        run("simple");
    }

    /** Each run has a table of its own: for a moment the proxy knows a table that was dropped by its size. */
    private static String table;

    private static void run(String mode) throws Exception {
        table = "items_" + mode;
        try (Connection connection = connect(mode)) {
            step(mode, "tables and batch");
            batch(connection);
            step(mode, "prepared");
            prepared(connection);
            step(mode, "fetch size and savepoint");
            transaction(connection);
            step(mode, "copy");
            copy(connection);
            if (mode.equals("extended")) {
                step(mode, "large object");
                largeObject(connection);
            }
            step(mode, "cancel");
            cancel(connection);
            if (GUARDED && mode.equals("extended")) {
                step(mode, "refused");
                refused(connection);
            }
            step(mode, "metadata");
            metadata(connection);
            execute(connection, "DROP TABLE " + table);
        }
    }

    private static Connection connect(String mode) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", System.getenv("PGUSER"));
        properties.setProperty("password", System.getenv("PGPASSWORD"));
        properties.setProperty("preferQueryMode", mode);
        properties.setProperty("connectTimeout", "60");
        String url = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE");
        return DriverManager.getConnection(url, properties);
    }

    private static void batch(Connection connection) throws SQLException {
        execute(connection, "CREATE TABLE " + table + " (id int PRIMARY KEY, name text)");
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO " + table + " VALUES (?, ?)")) {
            for (int n = 0; n < 3000; n++) {
                insert.setInt(1, n);
                insert.setString(2, "item " + n);
                insert.addBatch();
            }
            check(insert.executeBatch().length, 3000);
        }
    }

    private static void prepared(Connection connection) throws SQLException {
        try (PreparedStatement select = connection.prepareStatement("SELECT name FROM " + table + " WHERE id = ?")) {
            // From the fifth time on the driver names the statement at the server.
            for (int n = 0; n < 20; n++) {
                select.setInt(1, n);
                try (ResultSet rows = select.executeQuery()) {
                    rows.next();
                    check(rows.getString(1), "item " + n);
                }
            }
        }
    }

    private static void transaction(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        Savepoint savepoint = connection.setSavepoint();
        execute(connection, "UPDATE " + table + " SET name = 'lost' WHERE id = 1");
        connection.rollback(savepoint);
        try (PreparedStatement select = connection.prepareStatement("SELECT id FROM " + table + " ORDER BY id")) {
            select.setFetchSize(100);
            int count = 0;
            try (ResultSet rows = select.executeQuery()) {
                while (rows.next()) {
                    count++;
                }
            }
            check(count, 3000);
        }
        connection.commit();
        connection.setAutoCommit(true);
    }

    private static void copy(Connection connection) throws Exception {
        StringBuilder lines = new StringBuilder();
        for (int n = 10_000; n < 60_000; n++) {
            lines.append(n).append('\t').append("copied ").append(n).append('\n');
        }
        var manager = connection.unwrap(PGConnection.class).getCopyAPI();
        check(manager.copyIn("COPY " + table + " FROM STDIN", new StringReader(lines.toString())), 50_000L);
        check(manager.copyOut("COPY (SELECT id FROM " + table + ") TO STDOUT", new StringWriter()), 53_000L);
    }

    private static void largeObject(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        LargeObjectManager manager = connection.unwrap(PGConnection.class).getLargeObjectAPI();
        long oid = manager.createLO();
        byte[] bytes = new byte[1 << 20];
        bytes[77] = 7;
        try (LargeObject object = manager.open(oid, LargeObjectManager.READWRITE)) {
            object.write(bytes);
            object.seek(0);
            check(java.util.Arrays.equals(object.read(bytes.length), bytes), true);
        }
        manager.delete(oid);
        connection.commit();
        connection.setAutoCommit(true);
    }

    private static final String SLEEP = "SELECT pg_sleep(60)";

    /** Waits until the statement is at work: a cancel that comes before it hits nothing, as the protocol has it. */
    private static void awaitSleep() throws Exception {
        String seen = "SELECT 1 FROM pg_stat_activity WHERE query = '" + SLEEP + "' AND state = 'active' AND datname = current_database()";
        try (Connection connection = connect("simple"); Statement look = connection.createStatement()) {
            while (true) {
                try (ResultSet rows = look.executeQuery(seen)) {
                    if (rows.next()) {
                        return;
                    }
                }
                Thread.sleep(20);
            }
        }
    }

    private static void cancel(Connection connection) throws Exception {
        try (Statement sleep = connection.createStatement()) {
            Thread canceller = new Thread(() -> {
                try {
                    awaitSleep();
                    sleep.cancel();
                } catch (Exception error) {
                    throw new IllegalStateException(error);
                }
            });
            canceller.start();
            checkState(() -> sleep.execute(SLEEP), "57014");
            canceller.join();
        }
        try (Statement sleep = connection.createStatement()) {
            sleep.setQueryTimeout(1);
            checkState(() -> sleep.execute(SLEEP), "57014");
        }
    }

    private static void refused(Connection connection) throws Exception {
        connection.setAutoCommit(false);
        execute(connection, "UPDATE " + table + " SET name = 'gone' WHERE id = 2");
        checkState(() -> execute(connection, "DELETE FROM " + table), "54000");
        checkState(() -> execute(connection, "SELECT 1"), "25P02");
        connection.rollback();
        connection.setAutoCommit(true);
        try (Statement select = connection.createStatement(); ResultSet rows = select.executeQuery("SELECT name FROM " + table + " WHERE id = 2")) {
            rows.next();
            check(rows.getString(1), "item 2");
        }
    }

    private static void metadata(Connection connection) throws SQLException {
        try (ResultSet columns = connection.getMetaData().getColumns(null, "public", table, "%")) {
            int count = 0;
            while (columns.next()) {
                count++;
            }
            check(count, 2);
        }
    }

    private static void execute(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    private interface Action {
        void run() throws SQLException;
    }

    private static void checkState(Action action, String state) {
        try {
            action.run();
        } catch (SQLException error) {
            check(error.getSQLState(), state);
            return;
        }
        throw new AssertionError("no error, expected " + state);
    }

    private static void check(Object found, Object expected) {
        if (!found.equals(expected)) {
            throw new AssertionError("found " + found + ", expected " + expected);
        }
    }

    private static void step(String mode, String name) {
        System.out.println("step " + name + " (" + mode + ")");
    }
}
