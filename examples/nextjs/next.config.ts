import type { NextConfig } from "next";

process.env.NEXT_TELEMETRY_DISABLED = "1";

const config: NextConfig = {
  // The Dockerfile sets it; `next start` serves the ordinary build.
  output: process.env.STANDALONE ? "standalone" : undefined,
  turbopack: { root: import.meta.dirname },
  poweredByHeader: false,
  images: { unoptimized: true },
  headers: async () => [
    {
      source: "/:path*",
      headers: [
        { key: "X-Content-Type-Options", value: "nosniff" },
        { key: "Referrer-Policy", value: "same-origin" },
        { key: "X-Frame-Options", value: "DENY" },
        { key: "Cross-Origin-Opener-Policy", value: "same-origin" },
      ],
    },
  ],
};

export default config;
