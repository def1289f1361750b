// Apache Velocity 1.7 with Jayway's JSONPath, on a warm JVM: `java Velocity FOLDER SECONDS CASE…`.
import java.io.StringReader;
import java.io.StringWriter;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.jayway.jsonpath.JsonPath;
import net.minidev.json.JSONStyle;
import net.minidev.json.JSONValue;
import org.apache.commons.lang.StringEscapeUtils;
import org.apache.velocity.Template;
import org.apache.velocity.VelocityContext;
import org.apache.velocity.runtime.RuntimeInstance;
import org.apache.velocity.runtime.log.NullLogChute;

public class Velocity {
  public static class Input {
    private final String body;
    private Object document;

    Input(String body) {
      this.body = body;
    }

    public Object path(String path) throws Exception {
      if (document == null) document = parse(body);
      return path.equals("$") ? document : JsonPath.parse(document).read(path);
    }

    public String json(String path) throws Exception {
      return JSONValue.toJSONString(path(path), JSONStyle.LT_COMPRESS);
    }
  }

  public static class Util {
    public String escapeJavaScript(String text) {
      return StringEscapeUtils.escapeJavaScript(text).replace("\\/", "/");
    }
  }

  // Jackson, since the json-smart of Debian counts the objects of a list as depth and stops at 400 of them.
  private static final ObjectMapper JSON = new ObjectMapper();

  static Object parse(String text) throws Exception {
    return JSON.readValue(text, Object.class);
  }

  static String render(Template template, String body, Map<?, ?> context) {
    VelocityContext variables = new VelocityContext();
    variables.put("input", new Input(body));
    variables.put("util", new Util());
    variables.put("context", context);
    StringWriter out = new StringWriter();
    template.merge(variables, out);
    return out.toString();
  }

  public static void main(String[] arguments) throws Exception {
    Path folder = Path.of(arguments[0]);
    double seconds = Double.parseDouble(arguments[1]);
    RuntimeInstance runtime = new RuntimeInstance();
    runtime.setProperty("runtime.log.logsystem", new NullLogChute());
    runtime.setProperty("velocimacro.library", "");
    runtime.init();
    Map<?, ?> context = (Map<?, ?>) parse(Files.readString(folder.resolve("context.json")));
    var system = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    for (int at = 2; at < arguments.length; at++) {
      String name = arguments[at];
      String body = Files.readString(folder.resolve(name + ".json"));
      Template template = new Template();
      template.setRuntimeServices(runtime);
      template.setName(name);
      template.setData(runtime.parse(new StringReader(Files.readString(folder.resolve(name + ".vtl"))), name));
      template.initDocument();
      Files.writeString(folder.resolve(name + ".velocity"), render(template, body, context));
      int kept = 0;
      for (long end = system.getProcessCpuTime() + (long) (4e9 * seconds); system.getProcessCpuTime() < end; ) {
        for (int i = 0; i < 20; i++) kept += render(template, body, context).length();
      }
      // All of the process counts: collecting garbage is part of the work.
      long begin = system.getProcessCpuTime(), spent = 0, renders = 0;
      while (spent < seconds * 1e9) {
        for (int i = 0; i < 20; i++) kept += render(template, body, context).length();
        renders += 20;
        spent = system.getProcessCpuTime() - begin;
      }
      System.out.println(name + " " + renders + " " + spent + (kept == 0 ? " " : ""));
    }
  }
}
