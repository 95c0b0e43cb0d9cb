// Starts Swagger UI on the page at /docs. A file of its own, since the page's policy runs no script that stands in the page.

// The document's example of an Idempotency-Key is filled in for every act; sent twice it would be one act's key for another.
const EXAMPLE_KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324";

SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  docExpansion: "none",
  defaultModelsExpandDepth: 0,
  tryItOutEnabled: true,
  validatorUrl: null,
  requestInterceptor(request) {
    if (request.headers["Idempotency-Key"] === EXAMPLE_KEY) {
      const bytes = crypto.getRandomValues(new Uint8Array(16));
      request.headers["Idempotency-Key"] = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    }
    return request;
  },
});
