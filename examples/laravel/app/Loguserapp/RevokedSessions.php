<?php

namespace App\Loguserapp;

use Illuminate\Cache\Repository;

/** The sessions that ended before their access tokens did: logged out, password changed, … */
final class RevokedSessions
{
    private const MAX_BYTES = 10_000_000;

    private const INTERVAL_SECONDS = 1.0;

    public function __construct(
        private Repository $cache,
        private HttpClient $http,
        private SharedFetch $fetch,
    ) {
    }

    public function contains(string $sid): bool
    {
        $this->fetch->refresh('revoked', self::INTERVAL_SECONDS, fn () => $this->fetchList());
        $list = $this->cache->get('loguserapp.revoked') ?? throw new ServiceUnavailable;

        return isset($list['sessions'][$sid]);
    }

    private function fetchList(): bool
    {
        $known = $this->cache->get('loguserapp.revoked');
        $answer = $this->http->get('/api/auth/revoked/', self::MAX_BYTES, $known['etag'] ?? null);
        if ($answer === null) {
            return false;
        }
        if ($answer['status'] === 304) {
            return $known !== null;
        }
        $listed = self::decode($answer['body']);
        if ($listed === null) {
            return false;
        }
        // Where our clock is behind, the last tokens of a session outlive its place on the list.
        $left = array_filter(
            $known['sessions'] ?? [],
            fn (int $until) => time() <= $until + TokenVerifier::LEEWAY_SECONDS,
        );
        $this->cache->forever('loguserapp.revoked', [
            'etag' => $answer['etag'],
            'sessions' => $listed + $left,
        ]);

        return true;
    }

    /** @return array<int|string, int>|null `until` by `sid` */
    private static function decode(string $body): ?array
    {
        // 10 MB take some 150 MB to decode; PHP's default limit is 128 MB.
        if (strlen($body) > 1_000_000 && ini_get('memory_limit') !== '-1') {
            ini_set('memory_limit', '512M');
        }
        // As an object: an array would not tell [] from {}.
        $entries = json_decode($body)->revoked ?? null;
        if (! is_array($entries)) {
            return null;
        }
        $sessions = [];
        foreach ($entries as $entry) {
            if (! is_string($entry->sid ?? null) || ! is_int($entry->until ?? null)) {
                return null;
            }
            $sessions[$entry->sid] = $entry->until;
        }

        return $sessions;
    }
}
