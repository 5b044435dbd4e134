<?php

return [
    'defaults' => ['guard' => 'loguserapp'],
];
