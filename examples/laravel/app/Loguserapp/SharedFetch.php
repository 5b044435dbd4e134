<?php

namespace App\Loguserapp;

use Illuminate\Cache\Repository;
use Illuminate\Contracts\Cache\LockTimeoutException;

/** Lets one request fetch for all workers; what it finds is in the cache that they share. */
final class SharedFetch
{
    public const RETRY_SECONDS = 1.0;

    // Longer than a fetch takes, so that it ends by itself only where its worker was killed.
    private const LOCK_SECONDS = 5;

    private const WAIT_SECONDS = 3;

    public function __construct(private Repository $cache)
    {
    }

    /**
     * Fetches if the last fetch began more than $interval seconds ago, or failed a second ago.
     *
     * @param  callable(): bool  $fetch  says whether it succeeded
     */
    public function refresh(string $name, float $interval, callable $fetch): void
    {
        $arrived = microtime(true);
        $last = $this->last($name);
        if (! self::isDue($last, $arrived, $interval)) {
            return;
        }
        $lock = $this->cache->lock("loguserapp.$name.lock", self::LOCK_SECONDS);
        if (! $lock->get()) {
            if ($last['failed'] ?? false) {
                return; // The service is away: one request tries, the others go on.
            }
            try {
                $lock->betweenBlockedAttemptsSleepFor(20)->block(self::WAIT_SECONDS);
            } catch (LockTimeoutException) {
                return;
            }
        }
        try {
            // What another request fetched while this one waited is new enough.
            if (($this->last($name)['ended'] ?? 0.0) < $arrived) {
                $began = microtime(true);
                $failed = ! $fetch();
                $this->cache->forever("loguserapp.$name.last", compact('began', 'failed') + ['ended' => microtime(true)]);
            }
        } finally {
            $lock->release();
        }
    }

    /** @return array{began: float, ended: float, failed: bool}|null */
    private function last(string $name): ?array
    {
        return $this->cache->get("loguserapp.$name.last");
    }

    private static function isDue(?array $last, float $now, float $interval): bool
    {
        if ($last === null) {
            return true;
        }
        $age = $now - ($last['failed'] ? $last['ended'] : $last['began']);

        // A negative age: the clock was set back.
        return $age < 0 || $age >= ($last['failed'] ? self::RETRY_SECONDS : $interval);
    }
}
