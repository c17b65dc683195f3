import java.io.IOException;
import java.io.PrintWriter;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.FilterResult;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.UniqueId;
import org.junit.platform.engine.discovery.ClassNameFilter;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.launcher.PostDiscoveryFilter;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * {@code Outcomes FOLDER CLASSES WITHOUT}: runs the tests below a folder of classes whose names match the first pattern, but none whose id
 * matches the second. Writes `OUTCOME TEST` of each as it ends to the file that $OUTCOMES names, and why it failed to $OUTCOMES.why.
 * $OUTCOMES_ONLY may name tests: then their classes are run.
 */
public final class Outcomes implements TestExecutionListener {
    private final PrintWriter outcomes;
    private final PrintWriter why;

    private Outcomes(String path) throws IOException {
        outcomes = new PrintWriter(Files.newBufferedWriter(Path.of(path)), true);
        why = new PrintWriter(Files.newBufferedWriter(Path.of(path + ".why")), true);
    }

    public static void main(String[] arguments) throws IOException {
        var request = LauncherDiscoveryRequestBuilder.request()
            .selectors(wanted(Path.of(arguments[0])))
            .filters(ClassNameFilter.includeClassNamePatterns(arguments[1]))
            .filters((PostDiscoveryFilter) test -> FilterResult.includedIf(!test.getUniqueId().toString().matches(arguments[2])))
            .build();
        LauncherFactory.create().execute(request, new Outcomes(System.getenv("OUTCOMES")));
        // A test may leave threads behind.
        System.exit(0);
    }

    private static List<? extends DiscoverySelector> wanted(Path classes) throws IOException {
        String only = System.getenv("OUTCOMES_ONLY");
        if (only == null) {
            return DiscoverySelectors.selectClasspathRoots(Set.of(classes));
        }
        return Files.readAllLines(Path.of(only)).stream().map(test -> test.split("::")[0]).distinct()
            .map(DiscoverySelectors::selectClass).collect(Collectors.toList());
    }

    @Override
    public void executionSkipped(TestIdentifier test, String reason) {
        outcomes.println("skipped " + name(test));
    }

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
        boolean failed = result.getStatus() == TestExecutionResult.Status.FAILED;
        if (!test.isTest() && !failed) {
            return;
        }
        String outcome = failed ? "failed" : result.getStatus() == TestExecutionResult.Status.ABORTED ? "skipped" : "passed";
        outcomes.println(outcome + " " + name(test));
        if (failed) {
            why.println("=== failed " + name(test));
            result.getThrowable().ifPresent(error -> error.printStackTrace(why));
        }
    }

    /** Its class and what it is called inside. */
    private static String name(TestIdentifier test) {
        return UniqueId.parse(test.getUniqueId()).getSegments().stream().skip(1)
            .map(segment -> decoded(segment.getValue()).replaceAll("\\(org[.].*", "").replaceAll("\\s+", " "))
            .collect(Collectors.joining("::"));
    }

    private static String decoded(String value) {
        try {
            return URLDecoder.decode(value, StandardCharsets.UTF_8);
        } catch (IllegalArgumentException error) {
            return value;
        }
    }
}
