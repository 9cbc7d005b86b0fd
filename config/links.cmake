find_package(yaml-cpp REQUIRED)
target_link_libraries(tidecast_config ${TIDECAST_VISIBILITY} tidecast_runtime yaml-cpp nlohmann_json::nlohmann_json)
