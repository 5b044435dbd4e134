<?php

namespace App\Loguserapp;

/** Reads what loguserapp publishes, within 2 seconds and a number of bytes. */
final class HttpClient
{
    private const TIMEOUT_MS = 2000;

    public function __construct(private string $url)
    {
    }

    /**
     * @return array{status: int, etag: ?string, body: string}|null null: no answer of use
     */
    public function get(string $path, int $maxBytes, ?string $knownEtag = null): ?array
    {
        $body = '';
        $etag = null;
        $curl = curl_init($this->url.$path);
        curl_setopt_array($curl, [
            CURLOPT_TIMEOUT_MS => self::TIMEOUT_MS,
            CURLOPT_NOSIGNAL => true,
            CURLOPT_HTTPHEADER => $knownEtag === null ? [] : ["If-None-Match: $knownEtag"],
            CURLOPT_HEADERFUNCTION => function ($curl, string $line) use (&$etag): int {
                if (stripos($line, 'etag:') === 0) {
                    $etag = trim(substr($line, 5));
                }

                return strlen($line);
            },
            CURLOPT_WRITEFUNCTION => function ($curl, string $part) use (&$body, $maxBytes): int {
                $body .= $part;

                return strlen($body) <= $maxBytes ? strlen($part) : 0; // 0 ends the transfer
            },
        ]);
        $isWhole = curl_exec($curl);
        $status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);

        return $isWhole && in_array($status, [200, 304], true) ? compact('status', 'etag', 'body') : null;
    }
}
