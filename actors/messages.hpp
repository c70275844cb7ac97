#pragma once
// The types that travel in CAF messages, all within one process.

#include "actors/batch.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/atom.hpp>
#include <caf/type_nr.hpp>

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actors::batch_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actors::command_batch_ptr)
