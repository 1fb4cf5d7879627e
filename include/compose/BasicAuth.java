package rfm;

import jakarta.servlet.Filter;
import jakarta.servlet.FilterChain;
import jakarta.servlet.FilterConfig;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Base64;

/** Asks for user `spark` and SPARK_UI_PASSWORD before any page of a Spark web UI (spark.ui.filters). */
public final class BasicAuth implements Filter {
    private byte[] expected;

    @Override
    public void init(FilterConfig config) throws ServletException {
        String password = System.getenv("SPARK_UI_PASSWORD");
        if (password == null || password.isEmpty()) {
            throw new ServletException("SPARK_UI_PASSWORD is not set");
        }
        byte[] pair = ("spark:" + password).getBytes(StandardCharsets.UTF_8);
        expected = ("Basic " + Base64.getEncoder().encodeToString(pair)).getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public void doFilter(ServletRequest request, ServletResponse response, FilterChain chain)
            throws IOException, ServletException {
        String given = ((HttpServletRequest) request).getHeader("Authorization");
        if (given != null && MessageDigest.isEqual(given.getBytes(StandardCharsets.UTF_8), expected)) {
            chain.doFilter(request, response);
            return;
        }
        HttpServletResponse refused = (HttpServletResponse) response;
        refused.setHeader("WWW-Authenticate", "Basic realm=\"Spark\"");
        refused.sendError(HttpServletResponse.SC_UNAUTHORIZED);
    }
}
