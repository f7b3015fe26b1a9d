/**
 * Server reflection, so that grpcurl needs no proto files.
 * proto-loader describes every package in one file and names no imports, which Go's clients refuse; so the references
 * between packages are made whole here before they are served.
 */
import type { Server } from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import protobuf from 'protobufjs';
import 'protobufjs/ext/descriptor/index.js';

interface MessageType {
  name: string;
  field: { name: string; jsonName: string; typeName: string }[];
  nestedType: MessageType[];
  enumType: { name: string }[];
  options?: { mapEntry?: boolean };
}

interface ProtoFile {
  name: string;
  package: string;
  dependency: string[];
  messageType: MessageType[];
  enumType: { name: string }[];
}

interface FileCodec {
  decode(bytes: Uint8Array): ProtoFile;
  encode(file: ProtoFile): { finish(): Uint8Array };
}

const { FileDescriptorProto } = (protobuf as unknown as { descriptor: { FileDescriptorProto: FileCodec } }).descriptor;

/** Serves reflection v1 and v1alpha of these proto files. */
export function addReflection(server: Server, files: readonly string[], includeDirectory: string): void {
  const loaded = loadSync([...files], { includeDirs: [includeDirectory], keepCase: true });
  new ReflectionService(withImports(loaded)).addToServer(server);
}

function withImports(loaded: PackageDefinition): PackageDefinition {
  const byName = new Map<string, ProtoFile>();
  for (const definition of Object.values(loaded)) {
    // Services carry no descriptors, whatever the types say.
    const files = 'fileDescriptorProtos' in definition ? (definition.fileDescriptorProtos as Uint8Array[]) : [];
    for (const bytes of files) {
      const file = FileDescriptorProto.decode(bytes);
      const known = byName.get(file.name);
      // The same package may be described in parts: the fullest description counts.
      if (known === undefined || file.messageType.length > known.messageType.length) byName.set(file.name, file);
    }
  }
  const homes = new Map<string, string>();
  for (const file of byName.values()) {
    for (const { name } of [...file.messageType, ...file.enumType]) homes.set(`${file.package}.${name}`, file.name);
  }
  for (const file of byName.values()) for (const message of file.messageType) link(file, message, homes);
  const bytes = [...byName.values()].map((file) => Buffer.from(FileDescriptorProto.encode(file).finish()));
  return Object.fromEntries(
    Object.entries(loaded).map(([name, definition]) => [name, { ...definition, fileDescriptorProtos: bytes }]),
  ) as PackageDefinition;
}

/** A map's entry has one right name, made of its field's; proto-loader gives it another. */
function nameMapEntries(message: MessageType): void {
  for (const entry of message.nestedType.filter((nested) => nested.options?.mapEntry === true)) {
    const field = message.field.find(({ typeName }) => typeName.split('.').at(-1) === entry.name);
    if (field === undefined) continue;
    const words = field.name.split('_').map((word) => word.charAt(0).toUpperCase() + word.slice(1));
    entry.name = `${words.join('')}Entry`;
    field.typeName = [...field.typeName.split('.').slice(0, -1), entry.name].join('.');
  }
}

/** A reference that leaves its package is made absolute, and its file is imported. */
function link(file: ProtoFile, message: MessageType, homes: ReadonlyMap<string, string>): void {
  nameMapEntries(message);
  for (const field of message.field) {
    field.jsonName = field.name.replace(/_([a-z0-9])/g, (_all, letter: string) => letter.toUpperCase());
    const home = homes.get(field.typeName);
    if (home === undefined || home === file.name) continue;
    field.typeName = `.${field.typeName}`;
    if (!file.dependency.includes(home)) file.dependency.push(home);
  }
  for (const nested of message.nestedType) link(file, nested, homes);
}
