#version 330
// Where each corner of the head is: turned about the neck, the hair's shell pushed outwards.
uniform mat4 to_screen;
uniform mat3 turn;
uniform vec3 pivot;
uniform float shell_m;
uniform float narrower;

in vec3 at;
in vec3 normal;
in vec2 place;
in float material;
in vec3 rest;
in float hair;

out vec3 position;
out vec3 facing;
out vec2 texture_place;
out vec3 template_place;
out float hairiness;
flat out int matter;

void main() {
    vec3 grown = at + normal * hair * shell_m;
    // Of the long hair: a second layer further in shows between the strands of the first.
    if (int(material + 0.5) == 5) grown.x *= narrower;
    // The neck takes the head's turn up step by step; shoulders stay where they are.
    float follows = smoothstep(-0.20, -0.09, rest.z);
    if (int(material + 0.5) == 1) follows = 1.0;
    vec3 turned = turn * (grown - pivot) + pivot;
    position = mix(grown, turned, follows);
    facing = mix(normal, turn * normal, follows);
    texture_place = place;
    template_place = rest;
    hairiness = hair;
    matter = int(material + 0.5);
    gl_Position = to_screen * vec4(position, 1.0);
}
