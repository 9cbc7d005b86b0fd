target_link_libraries(tidecast_operators ${TIDECAST_VISIBILITY} tidecast_core tidecast_state tidecast_models tidecast_io date::date date::date-tz
  nlohmann_json::nlohmann_json)
