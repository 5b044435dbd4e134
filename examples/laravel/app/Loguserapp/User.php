<?php

namespace App\Loguserapp;

use Illuminate\Auth\Authenticatable;
use Illuminate\Contracts\Auth\Authenticatable as AuthenticatableContract;
use Illuminate\Database\Eloquent\Model;

/**
 * A person as this program knows them: refer to `id` from your own tables.
 *
 * @property int $id
 * @property string $sub the number of the account at loguserapp
 */
final class User extends Model implements AuthenticatableContract
{
    use Authenticatable;

    public const UPDATED_AT = null;

    protected $table = 'loguserapp_users';

    /** The row of a person, made when they first come. */
    public static function of(string $sub): self
    {
        $known = self::query()->where('sub', $sub)->first();
        if ($known === null) {
            // Of requests that come at the same moment, the unique key lets one insert.
            self::query()->insertOrIgnore(['sub' => $sub, 'created_at' => now()]);
            $known = self::query()->where('sub', $sub)->firstOrFail();
        }

        return $known;
    }
}
