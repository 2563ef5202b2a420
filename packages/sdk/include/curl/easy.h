/* Part of curl/curl.h. */
#pragma once

#include <curl/curl.h>
