target_link_libraries(tidecast_operators ${TIDECAST_VISIBILITY} tidecast_core tidecast_state tidecast_models tidecast_io date::date date::date-tz
  nlohmann_json::nlohmann_json)
# One file alone takes it: elsewhere its headers would only cost time.
find_package(Eigen3 REQUIRED NO_MODULE)
get_target_property(eigen_headers Eigen3::Eigen INTERFACE_INCLUDE_DIRECTORIES)
set_source_files_properties(operators/linear_model.cc PROPERTIES COMPILE_OPTIONS "-isystem;${eigen_headers}")
