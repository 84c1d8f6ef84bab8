// The server.
#pragma once

#include "options.h"

// Serves until the process is ended, with handlers of the callback API or with blocking ones.
void Serve(const Options& options);
