import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { SdkError } from '../errors.ts';
import { readProject } from '../project.ts';
import { compiledName, sourcePath } from '../project.ts';
import { readCMake } from './read-cmake.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A folder of its own with these files; gives it. */
function planted(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'sevenfold-cmake-'));
  folders.push(folder);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

/** What a project's file says, with paths from its folder on. */
function read(text: string, files: Readonly<Record<string, string>> = {}) {
  const folder = planted({ 'app/CMakeLists.txt': text, ...files });
  const own = join(folder, 'app');
  const read = readCMake(own);
  if (read === null) return null;
  const from = (path: string): string => relative(own, path);
  const { sources, includes, hardware } = read;
  return {
    ...read,
    sources: sources.map(from),
    includes: includes.map(from),
    hardware: hardware === null ? null : from(hardware),
    notes: read.notes.map(({ file, line, message }) => `${file}:${line}: ${message}`),
  };
}

function refusal(text: string, files: Readonly<Record<string, string>> = {}): SdkError {
  try {
    read(text, files);
  } catch (error) {
    if (error instanceof SdkError) return error;
    throw error;
  }
  throw new Error('It was read.');
}

const APP = 'project(pump C)\nadd_executable(${PROJECT_NAME} main.c)\n';
const PACKED = 'azsphere_target_add_image_package(${PROJECT_NAME})\n';

describe('readCMake', () => {
  it('reads the file that a project of the original platform begins with', () => {
    const text = `\uFEFF# A pump.
cmake_minimum_required(VERSION 3.20)
project(pump C)
azsphere_configure_tools(TOOLS_REVISION "22.10")
azsphere_configure_api(TARGET_API_SET "16")
add_executable(\${PROJECT_NAME} main.c
               valve.c valve.h)
target_link_libraries(\${PROJECT_NAME} applibs gcc_s c curl m)
set(BOARD "mt3620_rdb") # which
set(DEFINITION "pump.json")
find_path(FOLDER NAMES \${DEFINITION} PATHS "boards/\${BOARD}" "../boards/\${BOARD}" NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH)
azsphere_target_hardware_definition(\${PROJECT_NAME} TARGET_DIRECTORY "\${FOLDER}" TARGET_DEFINITION "\${DEFINITION}")
azsphere_target_add_image_package(\${PROJECT_NAME} RESOURCE_FILES "certs/root.pem" "a b.txt")
`;
    expect(read(text, { 'boards/mt3620_rdb/pump.json': '{}' })).toEqual({
      sources: ['main.c', 'valve.c'],
      includes: [],
      defines: [],
      resources: ['certs/root.pem', 'a b.txt'],
      hardware: '../boards/mt3620_rdb/pump.json',
      notes: [],
    });
  });

  it('follows subdirectories, libraries of the project, variables and conditions', () => {
    const text = `project(pump CXX)
option(WITH_LOG "" ON)
add_executable(\${PROJECT_NAME} "")
add_subdirectory(common)
add_library(crc STATIC crc/crc.c)
target_include_directories(crc PUBLIC crc)
aux_source_directory(drivers DRIVERS)
file(GLOB MORE more/*.cpp)
target_sources(\${PROJECT_NAME} PRIVATE \${DRIVERS} \${MORE})
include_directories(../shared \${AZURE_SPHERE_API_SET_DIR}/usr/include/azureiot)
add_compile_definitions(HOST="10.0.0.1" DEPTH=2)
target_compile_definitions(\${PROJECT_NAME} PUBLIC -DPUMP)
target_compile_options(\${PROJECT_NAME} PRIVATE -Wall -Werror -DFAST)
target_link_libraries(\${PROJECT_NAME} crc applibs gcc_s c)
if(WITH_LOG AND NOT (BOARD STREQUAL "two"))
  target_sources(\${PROJECT_NAME} PRIVATE log.c)
elseif(TRUE)
  target_sources(\${PROJECT_NAME} PRIVATE never.c)
endif()
if(POWERSHELL)
  message(FATAL_ERROR "never")
else()
  target_sources(\${PROJECT_NAME} PRIVATE quiet.c)
endif()
add_executable(bench bench.c)
${PACKED}`;
    const common =
      'target_sources(${PROJECT_NAME} PRIVATE ${CMAKE_CURRENT_LIST_DIR}/a.c ${CMAKE_CURRENT_SOURCE_DIR}/a.h)';
    const files = {
      'app/common/CMakeLists.txt': common,
      'app/drivers/valve.c': '',
      'app/more/one.cpp': '',
      'app/more/one.h': '',
    };
    expect(read(text, files)).toEqual({
      sources: ['common/a.c', 'drivers/valve.c', 'more/one.cpp', 'log.c', 'quiet.c', 'crc/crc.c'],
      includes: ['../shared', 'crc'],
      defines: ['HOST="10.0.0.1"', 'DEPTH=2', 'PUMP', 'FAST'],
      resources: [],
      hardware: null,
      notes: [],
    });
  });

  it('says what it does not do, by file and line', () => {
    const text = `${APP}add_custom_target(check ALL COMMAND true)
foreach(name a b)
  target_sources(\${PROJECT_NAME} PRIVATE \${name}.c)
endforeach()
if(A MATCHES "b")
endif()
target_link_libraries(\${PROJECT_NAME} -Wl,--wrap=malloc)
${PACKED}`;
    expect(read(text)?.notes).toEqual([
      'CMakeLists.txt:3: add_custom_target is not run by app build.',
      'CMakeLists.txt:4: foreach is not run by app build.',
      'CMakeLists.txt:7: This condition is not understood, and taken not to hold.',
      'CMakeLists.txt:9: -Wl,--wrap=malloc is not handed to the linker.',
    ]);
  });

  it('names a library that only the original had, and the line that asks for it', () => {
    const refused = refusal(`${APP}target_link_libraries(\${PROJECT_NAME} applibs azureiot)\n${PACKED}`);
    expect(refused.code).toBe('ProjectIncomplete');
    expect(refused.message).toContain('azureiot');
    expect(refused.field).toBe('CMakeLists.txt:3');
  });

  it('refuses what is no such file, and what goes round in circles', () => {
    expect(refusal('project(pump').field).toBe('CMakeLists.txt:1');
    expect(refusal('project(pump)\nset(A "open)\n').field).toBe('CMakeLists.txt:2');
    expect(refusal('nonsense').code).toBe('ProjectIncomplete');
    expect(refusal('add_subdirectory(.)').code).toBe('ProjectIncomplete');
    expect(refusal('message(FATAL_ERROR "no board")').message).toContain('no board');
    // A variable that names itself, and one that doubles with every round.
    const doubling = `set(A "\${A}x")\n${'set(A "${A}${A}")\n'.repeat(40)}`;
    expect(refusal(`${doubling}${APP}${PACKED}`).message).toContain('longer');
  });

  it('leaves a folder alone whose file packs nothing', () => {
    expect(read('project(host)\nadd_executable(host main.c)\n')).toBeNull();
  });
});

describe('a project with a CMakeLists.txt', () => {
  const MANIFEST = JSON.stringify({ SchemaVersion: 1, Name: 'pump', Capabilities: {} });

  it('is what that names: sources beside the folder, resources where they lie, its own board', async () => {
    const folder = planted({
      'app/app_manifest.json': MANIFEST,
      'app/CMakeLists.txt': `${APP}target_sources(pump PRIVATE ../shared/crc.c)
target_include_directories(pump PUBLIC ../shared \${AZURE_SPHERE_API_SET_DIR}/usr/include)
target_compile_definitions(pump PUBLIC _GNU_SOURCE LEVEL=3 QUIET)
azsphere_target_hardware_definition(pump TARGET_DIRECTORY "\${AZURE_SPHERE_SDK_PATH}/HardwareDefinitions" TARGET_DEFINITION "mt3620_rdb.json")
azsphere_target_add_image_package(pump RESOURCE_FILES certs/root.pem)`,
      'app/main.c': '',
      'app/unused.c': '',
      'app/tests/tests.h': '',
      'app/certs/root.pem': 'root',
      'shared/crc.c': '',
      'shared/deep/crc.h': '',
    });
    const own = join(folder, 'app');
    const project = await readProject(own);
    const paths = project.files.map(({ path }) => path);
    expect(paths.filter((path) => !path.startsWith('hw/')).toSorted()).toEqual([
      '../shared/crc.c',
      '../shared/deep/crc.h',
      'main.c',
      'tests/tests.h',
    ]);
    expect(project.includes).toEqual(['../shared']);
    expect(project.defines).toEqual({ LEVEL: '3', QUIET: '1' });
    expect(project.resources.map(({ path }) => path)).toEqual(['certs/root.pem']);
    expect(project.hardware.peripherals.has('MT3620_RDB_HEADER2_PIN4_GPIO')).toBe(true);
    // Debuggers find both.
    for (const path of ['main.c', '../shared/crc.c']) {
      const compiled = compiledName(own, join(own, path));
      expect(sourcePath(own, compiled ?? '')).toBe(join(own, path));
    }
  });

  it.each([
    ['a source that is not there', 'target_sources(pump PRIVATE valve.c)', 'valve.c'],
    ['a resource that is not there', 'azsphere_target_add_image_package(pump RESOURCE_FILES a.pem)', 'a.pem'],
    [
      'a resource from elsewhere',
      'azsphere_target_add_image_package(pump RESOURCE_FILES ../secret)',
      'not in the app',
    ],
    ['sources far above', 'target_sources(pump PRIVATE ../../../../../../../etc/far.c)', 'far.c'],
    [
      'a board that nobody has',
      'azsphere_target_hardware_definition(pump TARGET_DIRECTORY x TARGET_DEFINITION none.json)',
      'none.json',
    ],
  ])('is refused with %s', async (_, command, named) => {
    const folder = planted({
      'app/app_manifest.json': MANIFEST,
      'app/CMakeLists.txt': `${APP}${PACKED}${command}\n`,
      'app/main.c': '',
      secret: 'not the app’s',
    });
    await expect(readProject(join(folder, 'app'))).rejects.toThrow(named);
  });
});
