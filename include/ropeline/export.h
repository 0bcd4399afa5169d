#pragma once

/// ROPELINE_API marks what the shared library exports; everything else has hidden visibility.
#if defined(__GNUC__)
#define ROPELINE_API __attribute__((visibility("default")))
#else
#define ROPELINE_API
#endif
