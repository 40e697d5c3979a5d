/*
 * One OpenSearch node from the jars of Maven Central, for the tests.
 *
 * usage: OneNode HOME PORT [NAME=VALUE...]    PORT 0: any that is free
 *
 * Prints its address in one line when it answers. Each NAME=VALUE is a setting of the node.
 */
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.List;
import org.opensearch.analysis.common.CommonAnalysisPlugin;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.http.HttpServerTransport;
import org.opensearch.node.Node;
import org.opensearch.transport.Netty4Plugin;

public class OneNode extends Node {
	OneNode(Environment environment) {
		super(environment, List.of(Netty4Plugin.class, CommonAnalysisPlugin.class), true);
	}

	String address() {
		return injector().getInstance(HttpServerTransport.class).boundAddress().publishAddress().toString();
	}

	public static void main(String[] args) throws Exception {
		Path home = Paths.get(args[0]).toAbsolutePath();
		Settings.Builder settings = Settings.builder()
			.put("cluster.name", "trawld-test")
			.put("node.name", "one")
			.put("path.home", home.toString())
			.put("path.data", home.resolve("data").toString())
			.put("path.logs", home.resolve("logs").toString())
			.put("network.host", "127.0.0.1")
			.put("http.port", args[1].equals("0") ? "0-0" : args[1])
			.put("transport.port", "0-0")
			.put("transport.type", "netty4")
			.put("http.type", "netty4")
			.put("discovery.type", "single-node")
			.put("cluster.routing.allocation.disk.threshold_enabled", false)
			.put("node.processors", 2);
		for (int i = 2; i < args.length; i++) {
			String[] pair = args[i].split("=", 2);
			settings.put(pair[0], pair[1]);
		}
		Path config = Files.createDirectories(home.resolve("config"));
		OneNode node = new OneNode(new Environment(settings.build(), config));
		node.start();
		System.out.println(node.address());
		Thread.currentThread().join();
	}
}
