<?php

namespace App\Models;

use Illuminate\Database\Eloquent\Model;

final class Note extends Model
{
    public const UPDATED_AT = null;

    protected $fillable = ['user_id', 'text'];

    protected $casts = ['created_at' => 'datetime:Y-m-d\TH:i:s\Z'];

    protected $visible = ['id', 'text', 'created_at'];
}
